import { type Appended, RefusedError, UncertainError } from './log/log.ts';

/** What came of a publish, in the wire's words; `repeated` was acknowledged before. */
export const publishResults = [
  'acknowledged',
  'repeated',
  'refused',
  'uncertain',
  'forbidden',
  'bad_request',
  'too_large',
  'expired',
  'rate_limited',
  'internal',
] as const;

export type PublishResult = (typeof publishResults)[number];

/** What happened in a hub's rooms since the start: plain numbers, so that counting costs nothing. */
export interface RoomCounters {
  /** Clients that became members. */
  joins: number;
  /** Joins that were answered with messages; pages of a longer one count each. */
  replays: number;
  /** Messages in those answers. */
  replayedMessages: number;
  /** Joins whose reply says that something is missing. */
  lossesReported: number;
  readonly publishes: Record<PublishResult, number>;
  /** Messages handed to members' connections. */
  deliveries: number;
  /** Members that were notified of a gap in what they hear. */
  gaps: number;
  /** Connections that were ended since their clients did not read. */
  slowConsumers: number;
  /** Messages that came here, from the broker or since they were appended here. */
  frames: number;
  /** Notified of one in `delaySampleEvery` messages. @param milliseconds from its publish, by two instances' clocks */
  delayed: (milliseconds: number) => void;
}

/** Looking into each frame would cost as much as a delivery. */
const delaySampleEvery = 16;

export function createRoomCounters(): RoomCounters {
  const publishes = Object.fromEntries(publishResults.map((result) => [result, 0]));
  return {
    joins: 0,
    replays: 0,
    replayedMessages: 0,
    lossesReported: 0,
    publishes: publishes as Record<PublishResult, number>,
    deliveries: 0,
    gaps: 0,
    slowConsumers: 0,
    frames: 0,
    delayed: () => undefined,
  };
}

/** Counts what comes of an append; one that its precondition rejected is none. */
export async function countAppend<T extends Appended | object>(
  counters: RoomCounters,
  append: () => Promise<T>,
): Promise<T> {
  try {
    const appended = await append();
    if ('repeated' in appended) countAppended(counters, appended.repeated);
    return appended;
  } catch (error) {
    countFailedAppend(counters, error);
    throw error;
  }
}

export function countAppended({ publishes }: RoomCounters, repeated: boolean): void {
  publishes[repeated ? 'repeated' : 'acknowledged'] += 1;
}

export function countFailedAppend({ publishes }: RoomCounters, error: unknown): void {
  if (error instanceof RefusedError) publishes.refused += 1;
  if (error instanceof UncertainError) publishes.uncertain += 1;
}

/** Counts a message from the broker; of one in so many the time since its publish is reported. */
export function countFrame(counters: RoomCounters, text: Buffer): void {
  counters.frames += 1;
  if (counters.frames % delaySampleEvery !== 1) return;
  const at = publishedAt(text);
  if (at !== undefined) counters.delayed(Date.now() - at);
}

const atField = Buffer.from(',"at":');
const [zero, nine] = [0x30, 0x39];

/**
 * The message's `at`, without parsing it. In JSON a quote within a string is escaped, so the field's text can't
 * stand in what the sender chose before it, its id and its name.
 */
export function publishedAt(text: Buffer): number | undefined {
  const field = text.indexOf(atField);
  if (field < 0) return undefined;
  let milliseconds = 0;
  for (let index = field + atField.length; index < text.length; index += 1) {
    const digit = text[index] as number;
    if (digit < zero || digit > nine) break;
    milliseconds = milliseconds * 10 + digit - zero;
  }
  return milliseconds === 0 ? undefined : milliseconds;
}
