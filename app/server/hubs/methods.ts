import type { Namespace, Socket } from 'socket.io';
import { identityOf } from '../auth/identity.ts';
import { listener, type OnFault } from '../rooms/answer.ts';
import type { AttachedRooms } from '../rooms/attach.ts';
import type { Authorize } from '../rooms/methods.ts';
import type { HubContext } from './context.ts';
import type { HubCall, HubDefinition } from './define.ts';

export interface MethodsOptions {
  readonly namespace: Namespace;
  readonly rooms: AttachedRooms;
  readonly authorize: Authorize;
  readonly onFault: OnFault;
  readonly charge: HubContext['charge'];
}

/** Serves what a hub defines beside the rooms. */
export function serveMethods({ methods = {}, events = {} }: HubDefinition, options: MethodsOptions): void {
  const { namespace, rooms, authorize, onFault, charge } = options;
  const tell: HubCall['tell'] = (room, event, payload) => {
    const schema = Object.hasOwn(events, event) ? events[event] : undefined;
    if (!schema) throw new Error(`the hub defines no event ${event}`);
    rooms.whisper(room, event, schema.parse(payload));
  };
  const callOf = (socket: Socket): HubCall => ({
    socket,
    identity: identityOf(socket),
    isMember: (room) => rooms.isMember(socket, room),
    grantOf: async (room) => authorize(socket, 'join', room),
    tell,
  });
  const listeners = Object.entries(methods).map(([name, { schema, run }]) => {
    const answer = async (socket: Socket, request: unknown) => {
      charge?.(socket, 'call');
      return { ok: true as const, ...(await run(callOf(socket), request)) };
    };
    return [name, listener(schema, answer, onFault)] as const;
  });
  namespace.on('connection', (socket) => {
    for (const [name, listen] of listeners) socket.on(name, listen);
  });
}
