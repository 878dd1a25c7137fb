import type { Logger } from 'pino';
import type { Namespace } from 'socket.io';
import { typingRequest } from '../../protocol/schemas.ts';
import { listener } from '../rooms/answer.ts';
import { type AttachedRooms, attachRooms } from '../rooms/attach.ts';
import type { RoomStore } from '../rooms/store.ts';
import { anonymousSubject } from '../rooms/subject.ts';
import { logOf } from './thread.ts';

/** Rooms in which everyone hears what anyone publishes, on whichever instance they are. */
export function openChat(namespace: Namespace, store: RoomStore, log: Logger): AttachedRooms {
  const onFault = (error: Error, socket: Parameters<typeof logOf>[1]) =>
    logOf(log, socket).error({ err: error }, 'a hub method failed');
  const rooms = attachRooms(namespace, { store, onFault });
  const onTyping = listener(
    typingRequest,
    async (socket, { room }) => {
      rooms.whisper(room, 'typing', { room, from: anonymousSubject(socket) });
      return { ok: true };
    },
    onFault,
  );
  namespace.on('connection', (socket) => socket.on('typing', onTyping));
  return rooms;
}
