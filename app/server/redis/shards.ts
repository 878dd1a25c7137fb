import type { OnReturn, WatchedRedis } from './access.ts';
import { atHome, bucketTags, inBucket, slotCount, slotOf } from './buckets.ts';
import { Channels, type OnForeignPayload } from './channels.ts';
import { Redirects, type RedirectTargets } from './cluster/redirects.ts';
import { MapReader, remarksOn, type SlotMap } from './cluster/slot-map.ts';
import type { Pulse } from './connection/heartbeat.ts';
import { isOfCluster } from './connection/inspect-server.ts';
import { Shard, type ShardOptions } from './shard.ts';

export interface ShardsOptions
  extends Pick<
    ShardOptions,
    'resolve' | 'instance' | 'log' | 'selfTest' | 'subscriptionSelfTest' | 'observer' | 'lookUpEveryMs'
  > {
  /** Prefix of every key and channel. */
  readonly deployment: string;
  readonly onForeignPayload: OnForeignPayload;
  /** Called at each change of a shard's state; without one, where another shard has some keys now. */
  readonly onChange: (change?: ShardChange) => void;
}

export interface ShardChange {
  readonly shard: Shard;
  readonly pulse: Pulse;
  /** The server's own, why it takes no writes. */
  readonly reason: Error | undefined;
}

/** A slot whose move was not heard of for so long has arrived, or stays where it was. */
const movingForMs = 5_000;
/** What was under way on a shard that has no slots any more is answered by then: a command takes no longer. */
const lingerMs = 5_000;

/**
 * Which primary has which keys: the one that the setting leads to, or, where that turns out to be a cluster, those of its
 * map. Each is reached by connections of its own, so that one which is away takes its own keys with it and no others.
 */
export class Shards implements WatchedRedis {
  readonly channels: Channels;
  readonly #options: ShardsOptions;
  readonly #returns = new Set<OnReturn>();
  readonly #redirects: Redirects;
  readonly #map: MapReader;
  /** What the setting leads to, until that is known to be a cluster. */
  #alone: Shard | undefined;
  readonly #byAddress = new Map<string, Shard>();
  /** By slot, in a cluster. */
  #owners: (Shard | undefined)[] = [];
  /** How many slots each had when the map was read last. */
  #slotCounts = new Map<Shard | undefined, number>();
  /** Slots of which some keys are on another shard already, by when that was heard. */
  readonly #movingAway = new Map<number, number>();
  /** Shards that have no slots any more. */
  readonly #ending = new Set<Shard>();
  #remarks = '';
  readonly #closing = new AbortController();

  constructor(options: ShardsOptions) {
    this.#options = options;
    this.channels = new Channels({
      connectionOf: (channel) => this.shardOf(channel)?.subscriptions.connection,
      onMoved: () => this.#refresh(),
      onFault: options.onForeignPayload,
    });
    this.#redirects = new Redirects(this.#targets());
    this.#map = new MapReader({
      ...options,
      known: () =>
        [...this.#byAddress].map(([address, { commands }]) => ({ address, connection: commands.connection })),
      onMap: (map) => this.#apply(map),
      closing: this.#closing.signal,
    });
    this.#alone = this.#createAlone();
  }

  start(): void {
    this.#alone?.start();
  }

  shardOf(key: string): Shard | undefined {
    return this.#alone ?? this.#owners[slotOf(key)];
  }

  /** All that are known now; one, where it is no cluster. */
  get all(): readonly Shard[] {
    return this.#alone ? [this.#alone] : [...this.#byAddress.values()];
  }

  get isCluster(): boolean {
    return this.#alone === undefined;
  }

  /** How many slots a shard of a cluster has. */
  slotsOf(shard: Shard): number {
    return this.#slotCounts.get(shard) ?? 0;
  }

  /** Every slot has a shard. */
  get isComplete(): boolean {
    return this.#alone !== undefined || (this.#owners.length > 0 && !this.#slotCounts.has(undefined));
  }

  /** Some of the keys in this key's slot may be on another shard than the rest. */
  isMovingAway(key: string): boolean {
    const heardAt = this.#movingAway.size > 0 ? this.#movingAway.get(slotOf(key)) : undefined;
    return heardAt !== undefined && performance.now() - heardAt < movingForMs;
  }

  /** @returns ends it */
  onReturn(listener: OnReturn): () => void {
    this.#returns.add(listener);
    return () => this.#returns.delete(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.all, ...this.#ending].map((shard) => shard.close()));
  }

  /** As long as nothing else is known it is the only one. */
  #createAlone(): Shard {
    const { deployment, instance } = this.#options;
    return this.#create({
      heartbeatChannel: () => atHome(deployment, 'heartbeat', instance),
      // Whichever node of a cluster it is, and be it a replica.
      isElsewhere: async (redis) => {
        const isCluster = await isOfCluster(redis);
        if (isCluster) this.#becomeCluster();
        return isCluster;
      },
    });
  }

  #becomeCluster(): void {
    const alone = this.#alone;
    if (!alone || this.#closing.signal.aborted) return;
    this.#alone = undefined;
    void alone.close();
    void this.#map.watch(() => this.all.every((shard) => shard.available()));
  }

  #create(more: Pick<ShardOptions, 'heartbeatChannel'> & Partial<ShardOptions>): Shard {
    const shard: Shard = new Shard({
      ...this.#options,
      channels: this.channels,
      ...more,
      onChange: (pulse, reason) => {
        if (!this.#ending.has(shard)) this.#options.onChange({ shard, pulse, reason });
      },
    });
    shard.commands.on('up', () => this.#returned((key) => this.shardOf(key) === shard));
    shard.subscriptions.on('up', (connection) => this.channels.take(connection));
    return shard;
  }

  #createAt(address: string): Shard {
    const { resolve, deployment, instance } = this.#options;
    const [host, port] = splitAddress(address);
    const shard: Shard = this.#create({
      address,
      resolve: async () => ({ ...(await resolve()), endpoints: [{ host, port }] }),
      heartbeatChannel: () => inBucket(deployment, this.#tagOn(shard), 'heartbeat', instance, address),
      redirect: (command, error) => this.#redirects.follow(command, error),
    });
    this.#byAddress.set(address, shard);
    shard.commands.on('down', () => void this.#refresh());
    shard.start();
    return shard;
  }

  /** A bucket that the shard has; while it has none its heartbeat is refused, and it is away. */
  #tagOn(shard: Shard): string {
    const onShard = (tag: string) => this.#owners[slotOf(inBucket('', tag))] === shard;
    return bucketTags.find(onShard) ?? (bucketTags[0] as string);
  }

  /** A server alone has no map. */
  #refresh(): Promise<void> {
    return this.#alone ? Promise.resolve() : this.#map.refresh();
  }

  #returned(has: (key: string) => boolean): void {
    for (const listener of this.#returns) listener(has);
  }

  #apply(map: SlotMap): void {
    const addresses = new Set(map.map(({ address }) => address));
    for (const [address, shard] of this.#byAddress)
      if (!addresses.has(address)) {
        this.#byAddress.delete(address);
        this.#endLater(shard);
      }
    const owners: (Shard | undefined)[] = Array(slotCount).fill(undefined);
    for (const { first, last, address } of map) {
      owners.fill(this.#byAddress.get(address) ?? this.#createAt(address), first, last + 1);
    }
    const before = this.#owners;
    this.#owners = owners;
    this.#slotCounts = countsOf(owners);
    this.#say(map);
    this.#moved(new Set([...owners.keys()].filter((slot) => owners[slot] !== before[slot])));
  }

  #moved(slots: ReadonlySet<number>): void {
    for (const slot of slots) this.#movingAway.delete(slot);
    for (const shard of this.all) shard.channelsMoved();
    // A slot that went away and came back has taken its subscriptions with it.
    void this.channels.place();
    if (slots.size === 0) return;
    this.#returned((key) => slots.has(slotOf(key)) && this.shardOf(key)?.commands.connection !== undefined);
    this.#options.onChange();
  }

  #endLater(shard: Shard): void {
    this.#ending.add(shard);
    shard.retire();
    setTimeout(() => void shard.close().then(() => this.#ending.delete(shard)), lingerMs).unref();
  }

  #say(map: SlotMap): void {
    const remarks = remarksOn(map);
    const said = remarks.join('\n');
    if (said === this.#remarks) return;
    this.#remarks = said;
    for (const remark of remarks) this.#options.log.warn(remark);
  }

  #targets(): RedirectTargets {
    return {
      connectionTo: (address) =>
        (this.#byAddress.get(address) ?? this.#createAt(address)).commands.connection,
      moved: (slot, address) => {
        const shard = this.#byAddress.get(address);
        if (shard && this.#owners[slot] !== shard) {
          this.#owners[slot] = shard;
          this.#moved(new Set([slot]));
        }
        void this.#refresh();
      },
      movingAway: (slot) => {
        this.#movingAway.set(slot, performance.now());
        void this.#refresh();
      },
      refresh: () => this.#refresh(),
    };
  }
}

function countsOf(owners: readonly (Shard | undefined)[]): Map<Shard | undefined, number> {
  const counts = new Map<Shard | undefined, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts;
}

function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}
