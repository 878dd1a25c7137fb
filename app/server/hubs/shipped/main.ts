import { RpcError } from '../../rooms/rpc.ts';
import { defineHub } from '../define.ts';

/**
 * Socket.IO's namespace `/`, for clients that were written for another server. They join rooms and publish as in every
 * hub; any other event is passed on to the other members of the room that its first argument names, at most once. What
 * a team's own server did with its events takes the place of `onEvent`.
 */
export const main = defineHub({
  name: 'main',
  namespace: '/',
  events: 'any',
  onEvent: (call, event, args) => {
    const room = (args[0] as { room?: unknown } | null | undefined)?.room;
    if (typeof room !== 'string')
      throw new RpcError('bad_request', `${event}: the first argument names no room`);
    if (!call.isMember(room)) throw new RpcError('forbidden', 'join the room first');
    call.emit(event, args, { room, exceptCaller: true });
  },
});
