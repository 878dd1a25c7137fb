import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { slotCount } from '../buckets.ts';
import { openConnection } from '../connection/open-connection.ts';
import type { RedisSetting } from '../setting/setting.ts';
import { settleAll } from '../settled.ts';
import type { ShardOptions } from '../shard.ts';

/** A range of slots and the primary that has it. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  /** `host:port` of the primary, as the servers announce it. */
  readonly address: string;
  readonly replicas: number;
}

/** Who has which slots, as a server of the cluster sees it. */
export type SlotMap = readonly SlotRange[];

/**
 * Asks a server for the map.
 * @param asked address of that server, for it may not know its own
 * @throws Error when it does not answer, or with what no server says
 */
export async function readSlotMap(redis: Redis, asked: string): Promise<SlotMap> {
  const reply = (await redis.call('CLUSTER', 'SLOTS')) as SlotsReply;
  return reply
    .map(([first, last, primary, ...replicas]) => ({
      first,
      last,
      address: `${primary[0] || asked.slice(0, asked.lastIndexOf(':'))}:${primary[1]}`,
      replicas: replicas.length,
    }))
    .filter(({ address }) => !address.startsWith('?'))
    .sort((one, other) => one.first - other.first);
}

/** Each range with its nodes, the primary first. */
type SlotsReply = [first: number, last: number, primary: Node, ...replicas: Node[]][];
type Node = [host: string | null, port: number, ...more: unknown[]];

/** Servers learn of changes one after another: what most of them say holds; of equals, what was said first. */
export function mapOfMost(maps: readonly SlotMap[]): SlotMap | undefined {
  const votes = new Map<string, { readonly map: SlotMap; count: number }>();
  for (const map of maps) {
    const key = map.map(({ first, last, address }) => `${first}-${last}=${address}`).join(' ');
    const vote = votes.get(key) ?? { map, count: 0 };
    vote.count += 1;
    votes.set(key, vote);
  }
  return [...votes.values()].sort((one, other) => other.count - one.count)[0]?.map;
}

/** What is legal in a cluster, and should be known to who runs it. */
export function remarksOn(map: SlotMap): string[] {
  const covered = map.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const lonely = new Set(map.filter(({ replicas }) => replicas === 0).map(({ address }) => address));
  return [
    ...(covered < slotCount
      ? [`${slotCount - covered} slots of the cluster have no owner: their rooms are refused. Assign them`]
      : []),
    ...Array.from(lonely, (address) => `the shard at ${address} has no replica: its rooms are lost with it`),
  ];
}

interface MapReaderOptions extends Pick<ShardOptions, 'resolve' | 'instance' | 'log' | 'observer'> {
  /** The servers of the cluster that are known now. */
  readonly known: () => readonly KnownServer[];
  /** Given each map that was read. */
  readonly onMap: (map: SlotMap) => void;
  /** Ends the reading. */
  readonly closing: AbortSignal;
}

interface KnownServer {
  readonly address: string;
  /** Undefined while it is away. */
  readonly connection: Redis | undefined;
}

/** The map is read anew this often, in milliseconds, whatever happens: a shard that was added says nothing. */
const readEveryMs = 5_000;
/** The same while a shard is away: its replica takes over at any moment. */
const readSoonMs = 500;
const retryMs = 200;
/** Of one reading, in milliseconds. */
const readWithinMs = 1_500;
/** Servers inform each other of a change within moments, in milliseconds: who asks at once gets the old map. */
const pauseBeforeMs = 20;

/** Reads a cluster's map, from all servers that answer: now and then, and when somebody has reason to doubt it. */
export class MapReader {
  readonly #options: MapReaderOptions;
  #reading: Promise<void> | undefined;

  constructor(options: MapReaderOptions) {
    this.#options = options;
  }

  /** Reads it now, and then again and again. @param isCalm whether all shards are there */
  async watch(isCalm: () => boolean): Promise<void> {
    const { closing: signal } = this.#options;
    void this.refresh();
    while (!signal.aborted) {
      const everyMs = isCalm() ? readEveryMs : readSoonMs;
      await delay(everyMs * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.refresh();
    }
  }

  /** One reading for all who ask at about the same time; resolves after it. */
  refresh(): Promise<void> {
    if (this.#options.closing.aborted) return Promise.resolve();
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    await delay(pauseBeforeMs);
    while (!this.#options.closing.aborted) {
      const map = mapOfMost(await this.#ask());
      if (map && map.length > 0) return this.#options.onMap(map);
      await delay(retryMs);
    }
  }

  /** What the servers say that answer; those of the setting, where none of the known ones does. */
  async #ask(): Promise<readonly SlotMap[]> {
    const asked = this.#options.known().map(async ({ connection, address }) => {
      if (!connection) throw new Error('it is away');
      return withinTime(readSlotMap(connection, address));
    });
    const { answers } = await settleAll(asked);
    return answers.length > 0 ? answers : this.#askSetting();
  }

  async #askSetting(): Promise<SlotMap[]> {
    const { resolve, observer } = this.#options;
    try {
      return await this.#askOne(await resolve());
    } catch (error) {
      // The next reading asks again.
      observer?.failed('map', 'connect', error as Error);
      return [];
    }
  }

  async #askOne(setting: RedisSetting): Promise<SlotMap[]> {
    const { instance, log, observer } = this.#options;
    for (const endpoint of setting.endpoints) {
      try {
        const options = { name: `${instance}:map`, log, inspect: async () => [] };
        const redis = await openConnection(setting, endpoint, options);
        const map = await readSlotMap(redis, `${endpoint.host}:${endpoint.port}`).finally(() =>
          redis.disconnect(),
        );
        return [map];
      } catch (error) {
        observer?.failed('map', 'connect', error as Error);
      }
    }
    return [];
  }
}

async function withinTime<T>(asked: Promise<T>): Promise<T> {
  const late = delay(readWithinMs, undefined, { ref: false }).then(() => {
    throw new Error(`no answer within ${readWithinMs} ms`);
  });
  return Promise.race([asked, late]);
}
