import { bucketOf, inBucket, roomPath } from '../redis/buckets.ts';
import { bucketOfTurn } from './turn.ts';

/** Names in Redis. A turn is in the bucket of its room, with all that its scripts use. */
export interface AnswerKeys {
  turn(turn: string): string;
  /** Inside of a JSON string. */
  text(turn: string): string;
  /** Sorted sets of turns by when they end at the latest. */
  runningIn(room: string): string;
  ownedBy(owner: string, bucket: string): string;
  /** The newest turns of the room, by when they began. */
  turnsOf(room: string): string;
  /** Sorted set: turns of a subject, over all rooms, by when they end at the latest. In a bucket of the subject. */
  reservedBy(subject: string): string;
}

export function answerKeys(deployment: string, hub: string): AnswerKeys {
  const name = (bucket: string, kind: string, last: string) =>
    inBucket(deployment, bucket, 'answers', kind, last);
  const ofTurn = (kind: string, turn: string) => name(bucketOfTurn(turn) ?? unknownTurn(turn), kind, turn);
  const inHub = (kind: string, last: string, bucket = bucketOf(hub, last)) =>
    name(bucket, kind, roomPath(hub, last));
  return {
    turn: (turn) => ofTurn('turn', turn),
    text: (turn) => ofTurn('text', turn),
    runningIn: (room) => inHub('running', room),
    ownedBy: (owner, bucket) => inHub('owner', owner, bucket),
    turnsOf: (room) => inHub('turns', room),
    reservedBy: (subject) => inHub('reserved', subject),
  };
}

function unknownTurn(turn: string): never {
  throw new Error(`a turn must be one that turnOf has made, got: ${turn}`);
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
