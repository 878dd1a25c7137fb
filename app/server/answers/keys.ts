import { hashTag, redisName } from '../redis/keys.ts';

/**
 * Names in Redis. What turns of one room share carries the room's tag, as its log does; the rest belongs to one
 * turn, one subject or one instance, so that a script reaches over slots: one shard is required, as everywhere.
 */
export interface AnswerKeys {
  turn(turn: string): string;
  /** Inside of a JSON string. */
  text(turn: string): string;
  /** Sorted sets of turns by when they end at the latest. */
  runningIn(room: string): string;
  runningOf(subject: string): string;
  ownedBy(owner: string): string;
  /** The newest turns of the room, by when they began. */
  turnsOf(room: string): string;
}

export function answerKeys(deployment: string, hub: string): AnswerKeys {
  const name = (...parts: readonly string[]) => redisName(deployment, 'answers', ...parts);
  return {
    turn: (turn) => name('turn', turn),
    text: (turn) => name('text', turn),
    runningIn: (room) => name(hashTag(hub, room), 'running'),
    runningOf: (subject) => name('subject', hub, subject),
    ownedBy: (owner) => name('owner', hub, owner),
    turnsOf: (room) => name(hashTag(hub, room), 'turns'),
  };
}

/**
 * A text as it stands between the quotes of a JSON string. Such pieces can be put together by whoever knows no
 * JSON.
 */
export function jsonInside(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Undefined for what nobody of ours has written. */
export function fromJsonInside(inside: string): string | undefined {
  try {
    return JSON.parse(`"${inside}"`) as string;
  } catch {
    return undefined;
  }
}
