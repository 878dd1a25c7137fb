import { z } from 'zod';
import { typingRequest } from '../../../protocol/schemas.ts';
import { RpcError } from '../../rooms/rpc.ts';
import { defineHub, method } from '../define.ts';

/** Rooms in which everyone hears what anyone publishes, on whichever instance they are. */
export const chat = defineHub({
  name: 'chat',
  events: { typing: z.object({ room: z.string(), from: z.string() }) },
  methods: {
    typing: method(typingRequest, (call, { room }) => {
      if (!call.isMember(room)) throw new RpcError('forbidden', 'join the room first');
      call.broadcast(room, 'typing', { room, from: call.identity.subject });
      return {};
    }),
  },
});
