import { setTimeout as delay } from 'node:timers/promises';
import type { ManagedProcess } from '../processes/managed-process.ts';
import { StartError, untilReady } from '../processes/start.ts';
import type { PrivateFolder, Watchdog } from '../processes/watchdog.ts';
import { type ClusterAccess, ClusterNode, type NodeEntry, type SlotRange } from './cluster-node.ts';
import { formCluster, holds, joinMs, retryMs, until } from './form-cluster.ts';

export interface ClusterOptions {
  /** The server's program. */
  readonly binary: string;
  /** Primaries, each with a part of the slots: at least 3, since a majority of them elects. */
  readonly shards: number;
  /** Replicas of each. @default 1 */
  readonly replicas?: number;
  /** @default no TLS, and nobody logs in */
  readonly access?: ClusterAccess | undefined;
  /** A node that is silent for so long, in milliseconds, is replaced by its replica. @default 5,000 */
  readonly nodeTimeoutMs?: number;
  readonly watchdog: Watchdog;
  /** Takes what each node knows of the cluster. */
  readonly folder: PrivateFolder;
  /** Called with what is done by itself. @default nobody is */
  readonly print?: (line: string) => void;
}

/** A failover was measured to take 6.4–8.6 s with it. */
const defaultNodeTimeoutMs = 5_000;
/** By the node timeout: an election that takes longer will not be held, for want of a majority. */
const electionTimeouts = 3;
const lookEveryMs = 500;

/** What one shard is like now. */
export interface ShardStatus {
  /** From 1. */
  readonly shard: number;
  /** The id of the node that serves it. Undefined: none does. */
  readonly primary: string | undefined;
  /** Ids of the nodes that follow it and answer. */
  readonly replicas: readonly string[];
  /** How many slots it has; 0 while no primary answers. */
  readonly slots: number;
  /** Which ones. */
  readonly ranges: readonly SlotRange[];
}

/**
 * A cluster on this machine: each shard a primary and its replicas. A node that dies is started again as any process is,
 * but not before its shard has another primary: it stores nothing on disk, and would take the data of its replicas away.
 */
export class RedisCluster {
  readonly nodes: readonly ClusterNode[];
  readonly nodeTimeoutMs: number;
  readonly #replicas: number;
  readonly #print: (line: string) => void;
  readonly #status = new Map<ClusterNode, NodeEntry | undefined>();
  readonly #closed = new AbortController();
  /** Whether nodes that start have a cluster to come back to. */
  #isFormed = false;

  private constructor(
    nodes: readonly ClusterNode[],
    {
      replicas,
      nodeTimeoutMs,
      print,
    }: Required<Pick<ClusterOptions, 'replicas' | 'nodeTimeoutMs' | 'print'>>,
  ) {
    this.nodes = nodes;
    this.#replicas = replicas;
    this.#print = print;
    this.nodeTimeoutMs = nodeTimeoutMs;
  }

  /** Chooses ports; starts nothing. */
  static async prepare(options: ClusterOptions): Promise<RedisCluster> {
    const { shards, replicas = 1, nodeTimeoutMs = defaultNodeTimeoutMs, print = () => {}, ...rest } = options;
    const cluster: { of?: RedisCluster } = {};
    const beforeStart = async (node: ClusterNode) => cluster.of?.untilReplaced(node);
    const create = (shard: number, number: number) =>
      ClusterNode.create({ id: `redis-${shard}-${number}`, shard, nodeTimeoutMs, beforeStart, ...rest });
    const places = Array.from({ length: shards }, (_, shard) =>
      Array.from({ length: 1 + replicas }, (_, number) => create(shard + 1, number + 1)),
    );
    cluster.of = new RedisCluster(await Promise.all(places.flat()), { replicas, nodeTimeoutMs, print });
    return cluster.of;
  }

  get shardCount(): number {
    return this.nodes.length / (1 + this.#replicas);
  }

  processes(): ManagedProcess[] {
    return this.nodes.map((node) => node.process);
  }

  /** Starts all nodes and joins them. @throws StartError when one does not come up, or they don't find each other */
  async start(stopped: AbortSignal): Promise<void> {
    await this.#startAll((managed) => managed.start(), stopped);
    await formCluster(this.nodes, this.shardCount);
    await this.#untilWhole(stopped);
    this.#isFormed = true;
    void this.#look();
  }

  /** Starts all nodes again, which were stopped; they know each other, and their data is gone. */
  async startAgain(stopped: AbortSignal): Promise<void> {
    this.#isFormed = false;
    await this.#startAll((managed) => managed.startAgain(), stopped);
    await this.#untilWhole(stopped);
    this.#isFormed = true;
  }

  /** Ends all nodes. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.processes().map((managed) => managed.stop(graceMs)));
  }

  /** Ends the connections for good. */
  close(): void {
    this.#closed.abort();
    for (const node of this.nodes) node.disconnect();
  }

  /** Each shard as it was seen within the last second. */
  status(): ShardStatus[] {
    return Array.from({ length: this.shardCount }, (_, index) => {
      const nodes = this.nodesOf(index + 1);
      const isPrimary = (node: ClusterNode) => isPrimaryEntry(this.#status.get(node));
      const primary = nodes.find(isPrimary);
      const replicas = nodes.filter((node) => this.#status.get(node) && !isPrimary(node));
      const ranges = (primary && this.#status.get(primary)?.ranges) ?? [];
      return {
        shard: index + 1,
        primary: primary?.id,
        replicas: replicas.map(({ id }) => id),
        slots: countSlots(ranges),
        ranges,
      };
    });
  }

  nodesOf(shard: number): ClusterNode[] {
    return this.nodes.filter((node) => node.shard === shard);
  }

  /** Asks the nodes of a shard. @returns the one that is its primary, undefined if none says so */
  async primaryOf(shard: number): Promise<ClusterNode | undefined> {
    const nodes = this.nodesOf(shard);
    const isPrimary = await Promise.all(nodes.map((node) => node.isPrimary()));
    return nodes.find((_, index) => isPrimary[index]);
  }

  /** @returns whether it became the primary of its shard, within the time of an election */
  untilPrimary(node: ClusterNode): Promise<boolean> {
    const longestMs = electionTimeouts * this.nodeTimeoutMs;
    return holds(() => node.isPrimary(), longestMs, this.#closed.signal);
  }

  /** Resolves when all nodes serve, and each replica has what its primary has. @throws Error after so many milliseconds */
  async untilReady(longestMs = joinMs): Promise<void> {
    await until(
      () => this.#isWhole(),
      longestMs,
      () => `the ${this.nodes.length} nodes of the cluster are not all ready`,
    );
  }

  /**
   * Holds a node that is to be started until another one of its shard is the primary. Where no majority is left to elect
   * one, its replica is made the primary by force, as an operator would. Without another node there is nothing to wait
   * for: the data is gone.
   */
  async untilReplaced(node: ClusterNode): Promise<void> {
    const others = () => this.nodesOf(node.shard).filter((each) => each !== node && each.isRunning);
    const isReplaced = async () => {
      const isPrimary = await Promise.all(others().map((other) => other.isPrimary()));
      return isPrimary.length === 0 || isPrimary.some(Boolean);
    };
    if (!this.#isFormed) return;
    const isElected = await holds(isReplaced, electionTimeouts * this.nodeTimeoutMs, this.#closed.signal);
    if (isElected || this.#closed.signal.aborted) return;
    const [successor] = others();
    if (!successor) return;
    this.#print(
      `${successor.id} is made the primary of shard ${node.shard} by force: no majority is left to elect it`,
    );
    await successor.call('CLUSTER', 'FAILOVER', 'TAKEOVER').catch(() => {});
    await holds(isReplaced, this.nodeTimeoutMs, this.#closed.signal);
  }

  async #startAll(start: (managed: ManagedProcess) => Promise<void>, stopped: AbortSignal): Promise<void> {
    await Promise.all(this.processes().map(start));
    await Promise.all(this.nodes.map((node) => untilReady(node.process, stopped, untilAnswers(node))));
  }

  async #untilWhole(stopped: AbortSignal): Promise<void> {
    try {
      await this.untilReady();
    } catch (error) {
      throw new StartError(
        stopped.aborted ? 'stopped' : `${(error as Error).message}. --verbose shows what they log.`,
      );
    }
    await this.#lookOnce();
  }

  async #isWhole(): Promise<boolean> {
    const ready = await Promise.all(this.nodes.map((node) => node.isReady(this.nodes.length)));
    return ready.every(Boolean);
  }

  async #look(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await this.#lookOnce();
      await delay(lookEveryMs, undefined, { ref: false });
    }
  }

  async #lookOnce(): Promise<void> {
    await Promise.all(
      this.nodes.map(async (node) => {
        this.#status.set(node, await node.self());
      }),
    );
  }
}

export function countSlots(ranges: readonly SlotRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

function isPrimaryEntry(entry: NodeEntry | undefined): boolean {
  return entry?.flags.includes('master') === true;
}

function untilAnswers(node: ClusterNode): (over: AbortSignal) => Promise<void> {
  return async (signal) => {
    while ((await node.call('PING').catch(() => '')) !== 'PONG') {
      await delay(retryMs, undefined, { signal });
    }
    node.process.markReady();
  };
}
