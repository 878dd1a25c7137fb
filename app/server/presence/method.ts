import type { z } from 'zod';
import type { Acknowledgement, PresenceReply } from '../../protocol/hub.ts';
import type { presenceRequest } from '../../protocol/schemas.ts';
import { ReplyText, refuse } from '../rooms/rpc.ts';
import type { Presence } from './presence.ts';

/** A hub's method `presence`: who is in a room, for those who are in it. */
export function presenceMethod<M>(presence: Presence, isMember: (member: M, room: string) => boolean) {
  return async (
    member: M,
    { room, known }: z.infer<typeof presenceRequest>,
  ): Promise<Acknowledgement<PresenceReply>> => {
    if (!isMember(member, room)) return refuse('forbidden', 'join the room first');
    return { ok: true, ...(await presence.members(room, known)) };
  };
}

/** The same as text, in which a list that many are given is put together once. */
export function presenceReply(answer: PresenceReply): ReplyText {
  if (!answer.members) return new ReplyText(JSON.stringify(answer));
  const { members, ...head } = answer;
  return new ReplyText(`${JSON.stringify(head).slice(0, -1)},"members":${textOf(members)}}`);
}

const texts = new WeakMap<readonly string[], string>();

function textOf(members: readonly string[]): string {
  const known = texts.get(members);
  if (known !== undefined) return known;
  const text = JSON.stringify(members);
  texts.set(members, text);
  return text;
}
