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
  const base = `${deployment}:answers`;
  const tag = (room: string) => `{${hub}/${room.replace(/[%{}]/g, encodeURIComponent)}}`;
  return {
    turn: (turn) => `${base}:turn:${turn}`,
    text: (turn) => `${base}:text:${turn}`,
    runningIn: (room) => `${base}:${tag(room)}:running`,
    runningOf: (subject) => `${base}:subject:${hub}:${subject}`,
    ownedBy: (owner) => `${base}:owner:${hub}:${owner}`,
    turnsOf: (room) => `${base}:${tag(room)}:turns`,
  };
}
