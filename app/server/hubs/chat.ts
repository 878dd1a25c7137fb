import { z } from 'zod';
import { typingRequest } from '../../protocol/schemas.ts';
import { MethodRefusal } from '../rooms/answer.ts';
import { defineHub, method } from './define.ts';

/** Rooms in which everyone hears what anyone publishes, on whichever instance they are. */
export const chat = defineHub({
  name: 'chat',
  events: { typing: z.object({ room: z.string(), from: z.string() }) },
  methods: {
    typing: method(typingRequest, (call, { room }) => {
      if (!call.isMember(room)) throw new MethodRefusal('forbidden', 'join the room first');
      call.tell(room, 'typing', { room, from: call.identity.subject });
      return {};
    }),
  },
});
