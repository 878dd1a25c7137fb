import type { RedisCluster } from '../redis/cluster.ts';
import type { ClusterNode, SlotRange } from '../redis/cluster-node.ts';
import type { Redis } from '../redis/redis.ts';
import { ControlError } from './server.ts';

export interface MovedSlots {
  /** Numbers of shards, from 1. */
  readonly from: number;
  readonly to: number;
  readonly slots: number;
  /** What it took, in milliseconds. */
  readonly ms: number;
}

/** This version brought the migration of slots by the server itself. */
const atomicMajor = 9;

/** What can be done to one shard of the topology's Redis. Each operation throws a ControlError if it can't be done. */
export class ShardOperations {
  readonly #redis: Redis;
  readonly #print: (line: string) => void;
  #isMoving = false;

  constructor(redis: Redis, print: (line: string) => void) {
    this.#redis = redis;
    this.#print = print;
  }

  /** Kills the node that serves it; its replica takes over, and it comes back as the replica. */
  async killPrimary(shard: number): Promise<{ id: string; pid: number }> {
    const primary = await this.#primary(shard);
    const { id, pid } = primary.process;
    if (pid === undefined) throw new ControlError(409, `${id} is not running at the moment`);
    primary.process.kill();
    this.#print(`${id}, the primary of shard ${shard}, is killed: its replica takes over`);
    return { id, pid };
  }

  /** Lets its replica take over in order, with all data; resolves when that is the primary. @returns its id */
  async failOver(shard: number): Promise<{ id: string }> {
    const cluster = this.#cluster();
    const primary = await this.#primary(shard);
    const replica = cluster.nodesOf(shard).find((node) => node !== primary && node.isRunning);
    if (!replica) throw new ControlError(409, `shard ${shard} has no replica now`);
    await refusedBy(replica, replica.call('CLUSTER', 'FAILOVER'));
    const isDone = await cluster.untilPrimary(replica);
    if (!isDone) throw new ControlError(504, `${replica.id} did not take over: its primary did not agree`);
    this.#print(`${replica.id} is the primary of shard ${shard}, in place of ${primary.id}`);
    return { id: replica.id };
  }

  /** Moves slots with their rooms while clients use them; resolves when the others own them. */
  async moveSlots({ from, to, count }: { from: number; to: number; count: number }): Promise<MovedSlots> {
    const cluster = this.#cluster();
    await Promise.all([this.#primary(from), this.#primary(to)]);
    if (from === to) throw new ControlError(400, `to must be another shard than ${from}`);
    if (this.#isMoving) throw new ControlError(409, 'slots are being moved already');
    this.#isMoving = true;
    try {
      return await this.#move(cluster, from, to, count);
    } finally {
      this.#isMoving = false;
    }
  }

  async #move(cluster: RedisCluster, from: number, to: number, count: number): Promise<MovedSlots> {
    // It is there wherever a cluster is.
    const { closeOpenSlots, firstSlotsOf, moveSlots } = await import('../redis/slot-migration.ts');
    const startedAt = performance.now();
    await closeOpenSlots(cluster);
    const slots: SlotRange[] = await firstSlotsOf(cluster, from, count).catch((error: Error) => {
      throw new ControlError(409, error.message);
    });
    this.#print(`moving ${count} slots from shard ${from} to shard ${to}`);
    await moveSlots(cluster, { from, to, slots }, this.#isAtomic() ? 'atomic' : 'slot by slot');
    const ms = Math.round(performance.now() - startedAt);
    this.#print(`moved ${count} slots from shard ${from} to shard ${to} in ${(ms / 1_000).toFixed(2)} s`);
    return { from, to, slots: count, ms };
  }

  #isAtomic(): boolean {
    const [name, version = '0'] = this.#redis.version.split(' ');
    return name === 'Valkey' && Number.parseInt(version, 10) >= atomicMajor;
  }

  async #primary(shard: number): Promise<ClusterNode> {
    const cluster = this.#cluster();
    if (shard < 1 || shard > cluster.shardCount) {
      throw new ControlError(404, `no shard ${shard}; there are 1 to ${cluster.shardCount}`);
    }
    const primary = await cluster.primaryOf(shard);
    if (primary) return primary;
    throw new ControlError(409, `shard ${shard} has no primary now`);
  }

  #cluster(): RedisCluster {
    const { cluster } = this.#redis;
    if (cluster) return cluster;
    throw new ControlError(409, 'there are no shards: start with --shards 3');
  }
}

async function refusedBy({ id }: ClusterNode, reply: Promise<unknown>): Promise<void> {
  await reply.catch((error: Error) => {
    throw new ControlError(409, `${id} says: ${error.message}`);
  });
}
