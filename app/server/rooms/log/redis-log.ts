import type { Redis } from 'ioredis';
import { longestWayMs } from '../../process/stall-watch.ts';
import {
  assertAvailable,
  assertConnected,
  faultIn,
  type RedisAccess,
  RedisAwayError,
} from '../../redis/access.ts';
import { NamedScript } from '../../redis/script.ts';
import { encodeBroadcast } from '../broadcast.ts';
import { type RoomKeys, roomKeys } from '../keys.ts';
import { messageHead, messagePosition } from '../message.ts';
import { type AppendArgs, appendParameters } from './conditional-append.ts';
import {
  type Appended,
  type AppendRequest,
  type ConditionalRequest,
  ExpiredIdError,
  type NewRoom,
  NewRoomError,
  type Page,
  type Precondition,
  pageBytes,
  pageMessages,
  type ReadRequest,
  RefusedError,
  type Rejected,
  type SharedRoomLog,
  UncertainError,
  UnreadableError,
} from './log.ts';
import { makeEpochTag, type Position } from './position.ts';
import type { ReplicaAcks } from './replica-acks.ts';
import type { Retention } from './retention.ts';

export interface RedisLogOptions {
  readonly links: RedisAccess & {
    /** As of `BackplaneLinks`. @default no slot is ever moved */
    isMovingAway?(key: string): boolean;
  };
  readonly deployment: string;
  readonly hub: string;
  readonly retention: Retention;
  /** Called with each message that was appended here, once; not of `appendIf`. @default nobody is notified */
  readonly onAppend?: (room: string, position: Position, message: string) => void;
  /** Of the shard that has a channel: asked after each append, before it is acknowledged. @default nothing more is awaited */
  readonly acksOf?: (channel: string) => ReplicaAcks | undefined;
}

/** One of the scripts that write, to be run. */
interface Write {
  readonly channel: string;
  readonly run: (redis: Redis) => Promise<unknown>;
  readonly newRoom: NewRoom | undefined;
  /** Called with where it stands, once. @default nobody is notified */
  readonly onWritten?: (position: Position) => void;
}

/** This part of the window of ids is always left for the way to the server. */
const leastPartOfWindow = 0.1;

const epochs = new URL('./scripts/epochs.lua', import.meta.url);
const append = new NamedScript(appendParameters, epochs, new URL('./scripts/append.lua', import.meta.url));
const read = new NamedScript(
  {
    keys: ['meta', 'log', 'knownSince'],
    args: [
      'metaAgeMs',
      'sinceEpoch',
      'sinceOffset',
      'ackedEpoch',
      'ackedOffset',
      'visibleOffsets',
      'mostMessages',
      'mostBytes',
    ],
  },
  epochs,
  new URL('./scripts/read.lua', import.meta.url),
);
const announceLoss = new NamedScript(
  { keys: ['meta', 'log'], args: ['channel', 'epochTag', 'messages', 'metaAgeMs', 'broadcast'] },
  epochs,
  new URL('./scripts/announce-loss.lua', import.meta.url),
);

/** Rooms' logs in Redis: what is appended is also published on the room's channel. */
export class RedisLog implements SharedRoomLog {
  readonly #options: RedisLogOptions;

  constructor(options: RedisLogOptions) {
    this.#options = options;
  }

  get idWindowMs(): number {
    return this.#options.retention.idWindowMs;
  }

  append({ room, subject, id, age = 0, rest, newRoom }: AppendRequest): Promise<Appended> {
    const keys = this.#keys(room);
    const { meta, log, channel } = keys;
    const args = this.#argumentsOf(room, keys, rest, newRoom, this.#appendBefore(age, channel));
    const named = id === undefined ? undefined : keys.id(subject, id);
    const run = (redis: Redis) => append.run(redis, { meta, log, id: named }, args);
    const onWritten = (position: Position) => this.#notifyOfAppend(room, position, rest);
    return this.#write({ channel, run, newRoom, onWritten }) as Promise<Appended>;
  }

  appendIf(
    { room, beforeBody, newRoom }: ConditionalRequest,
    precondition: Precondition,
  ): Promise<Appended | Rejected> {
    const keys = this.#keys(room);
    const args = this.#argumentsOf(room, keys, beforeBody, newRoom);
    const { meta, log, channel } = keys;
    const run = (redis: Redis) => precondition.script.run(redis, precondition, { meta, log }, args);
    return this.#write({ channel, run, newRoom });
  }

  async #write({ channel, run, newRoom, onWritten }: Write): Promise<Appended | Rejected> {
    const { links, acksOf } = this.#options;
    try {
      const answer = (await run(assertAvailable(links, channel))) as AppendReply;
      if (typeof answer === 'string') return { rejected: answer };
      const [epoch, offset, outcome, replicationId] = answer;
      if (outcome === 3) throw new NewRoomError(newRoom as NewRoom);
      if (outcome === 4)
        throw new ExpiredIdError('Redis stood still for so long that it may have been published');
      if (outcome === 2) newRoom?.made();
      if (links.isMovingAway?.(channel)) this.#pointToLog(channel);
      if (acksOf) await confirmed(acksOf(channel), replicationId ?? '', channel);
      const repeated = outcome === 1;
      if (!repeated) onWritten?.({ epoch, offset });
      return { epoch, offset, repeated };
    } catch (error) {
      throw explainFailedAppend(error as Error);
    }
  }

  #notifyOfAppend(room: string, position: Position, rest: string): void {
    this.#options.onAppend?.(room, position, `${messageHead(room)}${messagePosition(position)}${rest}`);
  }

  /** What was appended on the shard that gets a slot is heard by nobody yet: their subscriptions are where it comes from. */
  #pointToLog(channel: string): void {
    assertAvailable(this.#options.links, channel)
      .spublish(channel, encodeBroadcast({ kind: 'appended' }))
      .catch(() => undefined);
  }

  /**
   * A server that stood still, too, finds what was sent to it before: behind the window of ids it would be another
   * message. The sender may have needed a part of the window until here, and its network another.
   *
   * @returns by the server's clock, in milliseconds; empty: not known
   */
  #appendBefore(age: number, channel: string): number | '' {
    const now = this.#options.links.shardOf(channel)?.serverTime?.();
    if (now === undefined) return '';
    const { idWindowMs } = this;
    const left = idWindowMs - age - longestWayMs(idWindowMs);
    return Math.floor(now + Math.max(left, idWindowMs * leastPartOfWindow));
  }

  /** Each by its name: V8 makes a table of 2 KB of an object that others are spread into. */
  #argumentsOf(
    room: string,
    { channel }: RoomKeys,
    rest: string,
    newRoom: NewRoom | undefined,
    latestMs: number | '' = '',
  ): AppendArgs {
    const { retention, acksOf } = this.#options;
    return {
      maxLength: retention.maxLength,
      maxBytes: retention.maxBytes,
      maxAgeMs: retention.maxAgeMs,
      metaAgeMs: retention.metaAgeMs,
      idWindowMs: retention.idWindowMs,
      channel,
      epochTag: makeEpochTag(),
      beforePosition: messageHead(room),
      afterPosition: rest,
      mayBeNew: newRoom?.untilMs === undefined ? 1 : 0,
      wantsReplicationId: acksOf ? 1 : 0,
      latestMs,
    };
  }

  async read({ room, since, acked, visibleFrom = [] }: ReadRequest): Promise<Page> {
    const { links, retention } = this.#options;
    const { meta, log, dataSince } = this.#keys(room);
    const args = {
      metaAgeMs: retention.metaAgeMs,
      sinceEpoch: since?.epoch ?? '',
      sinceOffset: since?.offset ?? 0,
      ackedEpoch: acked?.epoch ?? '',
      ackedOffset: acked?.offset ?? 0,
      visibleOffsets: visibleFrom.map(({ offset, epoch = '' }) => `${offset}:${epoch}`).join(' '),
      mostMessages: pageMessages,
      mostBytes: pageBytes,
    };
    try {
      const redis = assertConnected(links, meta);
      const reply = await read.run(redis, { meta, log, knownSince: dataSince }, args);
      return pageOf(reply as ReadReply, messageHead(room));
    } catch (error) {
      throw unreadable(error as Error);
    }
  }

  async announceLoss(room: string, messages: number): Promise<void> {
    const { links, retention } = this.#options;
    const { meta, log, channel } = this.#keys(room);
    const args = {
      channel,
      epochTag: makeEpochTag(),
      messages,
      metaAgeMs: retention.metaAgeMs,
      broadcast: encodeBroadcast({ kind: 'loss' }),
    };
    await announceLoss.run(assertAvailable(links, meta), { meta, log }, args);
  }

  #keys(room: string) {
    return roomKeys(this.#options.deployment, this.#options.hub, room);
  }
}

/** @throws UncertainError also where nobody knows now which shard it is on, and so which replica to ask */
async function confirmed(
  acks: ReplicaAcks | undefined,
  replicationId: string,
  channel: string,
): Promise<void> {
  if (!acks) throw new UncertainError('written, and the shard that could confirm it is not known now');
  await acks.confirm(replicationId, channel);
}

/** What `append.lua` returns, or why a precondition rejected it. */
type AppendReply = string | [epoch: string, offset: number, outcome: number, replicationId?: string];

/** What `read.lua` returns. */
type ReadReply = [
  epoch: string,
  head: number,
  complete: number,
  lost: number,
  ackedKept: number,
  end: number,
  more: number,
  ...messages: string[],
];

/** What no script of ours wrote is no message, whatever stands there, and is missing. */
function pageOf(
  [epoch, head, complete, lost, ackedKept, end, more, ...texts]: ReadReply,
  start: string,
): Page {
  const messages = texts.filter((text) => text.startsWith(start) && text.endsWith('}'));
  const foreign = texts.length - messages.length;
  return {
    head: { epoch, offset: head },
    complete: complete === 1 && foreign === 0,
    lost: lost < 0 ? undefined : lost + foreign,
    ackedKept: ackedKept === 1,
    messages,
    end,
    more: more === 1,
  };
}

/**
 * A reply that is an error means that the script wrote nothing; without a reply nobody knows. The server's own words
 * are for the log: a client gets ours.
 */
function explainFailedAppend(error: Error): Error {
  if (error instanceof UncertainError || error instanceof NewRoomError) return error;
  if (error instanceof RedisAwayError) return new RefusedError(`${error.message}: nothing was written`);
  if (error.name !== 'ReplyError') {
    return new UncertainError('Redis did not answer: the message may have been written');
  }
  if (/^OOM/.test(error.message)) {
    return new RefusedError('Redis is full: nothing was written, try again later');
  }
  const cause = faultIn(error);
  return new RefusedError('Redis refuses to write now: nothing was written, try again later', { cause });
}

function unreadable(error: Error): UnreadableError {
  if (error instanceof RedisAwayError) return new UnreadableError(error.message);
  return new UnreadableError('Redis does not answer', { cause: faultIn(error) });
}
