import type { Logger } from 'pino';
import type { Namespace } from 'socket.io';
import { type AttachedRooms, attachRooms } from '../rooms/attach.ts';
import type { RoomStore } from '../rooms/store.ts';
import { logOf } from './thread.ts';

/** Rooms in which everyone hears what anyone publishes, on whichever instance they are. */
export function openChat(namespace: Namespace, store: RoomStore, log: Logger): AttachedRooms {
  return attachRooms(namespace, {
    store,
    onFault: (error, socket) => logOf(log, socket).error({ err: error }, 'a hub method failed'),
  });
}
