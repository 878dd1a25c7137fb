import { randomUUID } from 'node:crypto';
import type { Namespace, Socket } from 'socket.io';
import type { ClientToServer, Message, ServerToClient } from '../../protocol/hub.ts';
import { joinRequest, leaveRequest, publishRequest } from '../../protocol/schemas.ts';
import type { Backplane } from '../redis/backplane.ts';
import { answer, refuse } from './method.ts';

type ChatSocket = Socket<ClientToServer, ServerToClient>;

/** Rooms in which everyone hears what anyone publishes, on whichever instance they are. */
export function openChat(namespace: Namespace<ClientToServer, ServerToClient>, backplane: Backplane): void {
  namespace.on('connection', (socket: ChatSocket) => {
    socket.on(
      'join',
      answer(socket, joinRequest, async ({ room }) => {
        await socket.join(room);
        return { ok: true };
      }),
    );
    socket.on(
      'leave',
      answer(socket, leaveRequest, async ({ room }) => {
        await socket.leave(room);
        return { ok: true };
      }),
    );
    socket.on(
      'publish',
      answer(socket, publishRequest, async ({ room, id = randomUUID(), body }) => {
        if (backplane.status() === 'degraded')
          return refuse('unavailable', 'the backplane is away: try again');
        const message: Message = { room, id, from: socket.id, at: Date.now(), body };
        namespace.to(room).emit('message', message);
        return { ok: true, id };
      }),
    );
  });
}
