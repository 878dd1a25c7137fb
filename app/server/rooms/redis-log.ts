import type { Redis } from 'ioredis';
import type { RedisLink } from '../redis/link.ts';
import { Script } from '../redis/script.ts';
import type { Condition, Withheld } from './condition.ts';
import { type RoomKeys, roomKeys } from './keys.ts';
import {
  type Appended,
  type AppendRequest,
  type ConditionalRequest,
  type LogBounds,
  type Page,
  pageBytes,
  pageMessages,
  type ReadRequest,
  RefusedError,
  type RoomLog,
  UncertainError,
} from './log.ts';
import { messageHead } from './packet.ts';
import { makeEpoch } from './position.ts';
import type { ReplicaAcks } from './replica-acks.ts';

export interface RedisLogOptions {
  readonly links: {
    readonly commands: Pick<RedisLink, 'connection'>;
    available(): boolean;
  };
  readonly deployment: string;
  readonly hub: string;
  /** What goes before a message to make it a packet of this hub's namespace. */
  readonly packetPrefix: string;
  readonly bounds: LogBounds;
  /** Asked after each append, before it is acknowledged. @default nothing more is awaited */
  readonly acks?: ReplicaAcks;
}

const append = new Script(new URL('./scripts/append.lua', import.meta.url));
const read = new Script(new URL('./scripts/read.lua', import.meta.url));

/** Rooms' logs in Redis: what is appended is also published on the room's channel. */
export class RedisLog implements RoomLog {
  readonly #options: RedisLogOptions;

  constructor(options: RedisLogOptions) {
    this.#options = options;
  }

  async append({ room, subject, id, rest }: AppendRequest): Promise<Appended> {
    const keys = this.#keys(room);
    const named = id === undefined ? [] : [keys.id(subject, id)];
    const args = this.#argumentsOf(room, keys, rest);
    return this.#write((redis) =>
      append.run(redis, [keys.meta, keys.log, ...named], args),
    ) as Promise<Appended>;
  }

  async appendIf(
    { room, beforeBody }: ConditionalRequest,
    condition: Condition,
  ): Promise<Appended | Withheld> {
    const keys = this.#keys(room);
    const args = this.#argumentsOf(room, keys, beforeBody);
    return this.#write((redis) => condition.script.run(redis, condition, [keys.meta, keys.log], args));
  }

  async #write(run: (redis: Redis) => Promise<unknown>): Promise<Appended | Withheld> {
    const { links, acks } = this.#options;
    const redis = links.commands.connection;
    // A server that stalls still takes commands, and nobody knows which: better to write none.
    if (!redis || !links.available()) throw new RefusedError('Redis is away: nothing was written');
    try {
      const answer = (await run(redis)) as string | [string, number, 0 | 1];
      if (typeof answer === 'string') return { withheld: answer };
      await acks?.confirm();
      const [epoch, offset, repeated] = answer;
      return { epoch, offset, repeated: repeated === 1 };
    } catch (error) {
      throw explainFailedAppend(error as Error);
    }
  }

  #argumentsOf(room: string, keys: RoomKeys, rest: string): (string | number)[] {
    const { bounds, packetPrefix } = this.#options;
    return [
      keys.channel,
      makeEpoch(),
      packetPrefix,
      messageHead(room),
      rest,
      bounds.maxLength,
      bounds.maxBytes,
      bounds.maxAgeMs,
      bounds.metaAgeMs,
      bounds.idWindowMs,
    ];
  }

  async read({ room, since, acked, visibleFrom = 1 }: ReadRequest): Promise<Page> {
    const { links, bounds } = this.#options;
    const redis = links.commands.connection;
    if (!redis) throw new Error('Redis is away');
    const keys = this.#keys(room);
    const args = [
      makeEpoch(),
      bounds.metaAgeMs,
      since?.epoch ?? '',
      since?.offset ?? 0,
      acked?.epoch ?? '',
      acked?.offset ?? 0,
      visibleFrom,
      pageMessages,
      pageBytes,
    ];
    const answer = await read.run(redis, [keys.meta, keys.log], args);
    const [epoch, head, complete, lost, ackedKept, end, more, ...messages] = answer as ReadAnswer;
    return {
      head: { epoch, offset: head },
      complete: complete === 1,
      lost: lost < 0 ? undefined : lost,
      ackedKept: ackedKept === 1,
      messages,
      end,
      more: more === 1,
    };
  }

  #keys(room: string) {
    return roomKeys(this.#options.deployment, this.#options.hub, room);
  }
}

/** What `read.lua` returns. */
type ReadAnswer = [
  epoch: string,
  head: number,
  complete: number,
  lost: number,
  ackedKept: number,
  end: number,
  more: number,
  ...messages: string[],
];

/** A reply that is an error means that the script wrote nothing; without a reply nobody knows. */
function explainFailedAppend(error: Error): RefusedError | UncertainError {
  if (error instanceof UncertainError) return error;
  if (error.name !== 'ReplyError') {
    return new UncertainError(`Redis did not answer (${error.message}): the message may have been written`);
  }
  if (/^OOM/.test(error.message))
    return new RefusedError('Redis is full: nothing was written, try again later');
  return new RefusedError(`Redis refused: ${error.message}`);
}
