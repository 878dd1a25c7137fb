import type { Socket } from 'socket.io';
import type { z } from 'zod';
import type { Acknowledgement, PresenceAnswer } from '../../protocol/hub.ts';
import type { presenceRequest } from '../../protocol/schemas.ts';
import { refuse } from '../rooms/answer.ts';
import type { Presence } from './presence.ts';

/** A hub's method `presence`: who is in a room, for those who are in it. */
export function presenceMethod(presence: Presence, isMember: (socket: Socket, room: string) => boolean) {
  return async (
    socket: Socket,
    { room, known }: z.infer<typeof presenceRequest>,
  ): Promise<Acknowledgement<PresenceAnswer>> => {
    if (!isMember(socket, room)) return refuse('forbidden', 'join the room first');
    return { ok: true, ...(await presence.members(room, known)) };
  };
}
