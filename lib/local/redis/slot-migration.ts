import { setTimeout as delay } from 'node:timers/promises';
import { countSlots, type RedisCluster } from './cluster.ts';
import type { ClusterNode, SlotRange } from './cluster-node.ts';
import { allSlots } from './form-cluster.ts';

export interface Move {
  /** Numbers of shards, from 1. */
  readonly from: number;
  readonly to: number;
  /** Of the first shard, in order. */
  readonly slots: readonly SlotRange[];
}

const keysAtOnce = 100;
const keysMs = 5_000;
const pollMs = 20;
const retryMs = 250;
/** So many at a time: each change of a slot's owner is written to the disk, and these share the writing. */
const slotsAtOnce = 16;
/** In node timeouts: so long a slot waits for an end that died. */
const failovers = 6;

/** How slots are moved: one by one with their keys, or by the server itself (Valkey 9 and newer) all at once. */
export type MigrationKind = 'slot by slot' | 'atomic';

/** The first `count` slots of a shard. @throws Error when it would keep none */
export async function firstSlotsOf(
  cluster: RedisCluster,
  shard: number,
  count: number,
): Promise<SlotRange[]> {
  const ranges = (await (await ownerOf(cluster, shard)).self())?.ranges ?? [];
  const owned = countSlots(ranges);
  // A primary without slots becomes a replica of whoever took its last one.
  if (count >= owned) throw new Error(`shard ${shard} has ${owned} slots, and must keep one: got ${count}`);
  const taken: SlotRange[] = [];
  for (const [first, last] of ranges) {
    const missing = count - countSlots(taken);
    if (missing > 0) taken.push([first, Math.min(last, first + missing - 1)]);
  }
  return taken;
}

/** Moves slots with all their keys, while clients use them. @throws Error when it can't be done */
export async function moveSlots(cluster: RedisCluster, move: Move, kind: MigrationKind): Promise<void> {
  if (kind === 'atomic') return moveAtOnce(cluster, move);
  const slots = move.slots.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  );
  for (let start = 0; start < slots.length; start += slotsAtOnce) {
    const some = slots.slice(start, start + slotsAtOnce);
    await Promise.all(some.map((slot) => moveSlot(cluster, { ...move, slot })));
  }
}

/**
 * Ends what somebody, or a crash, left half-way: the rest of each slot's keys follows those that went before.
 * @returns how many slots were
 */
export async function closeOpenSlots(cluster: RedisCluster): Promise<number> {
  const primaries = await primariesOf(cluster);
  const shards = new Map<string, number>();
  for (const node of primaries) shards.set(await node.myId(), node.shard);
  const places = new Map<number, SlotPlace>();
  for (const node of primaries) {
    for (const { slot, isLeaving, other } of (await node.self())?.open ?? []) {
      const shard = shards.get(other);
      if (shard === undefined) await setSlot(node, slot, 'STABLE');
      else
        places.set(
          slot,
          isLeaving ? { slot, from: node.shard, to: shard } : { slot, from: shard, to: node.shard },
        );
    }
  }
  for (const place of places.values()) await moveSlot(cluster, place);
  return places.size;
}

/** It goes on where it stood when one end dies and its replica takes over, which knows nothing of the migration. */
async function moveSlot(cluster: RedisCluster, place: SlotPlace): Promise<void> {
  const deadline = performance.now() + failovers * cluster.nodeTimeoutMs;
  for (;;) {
    try {
      const migration = new SlotMigration(cluster, place);
      await migration.open();
      await migration.moveKeys();
      await migration.close();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(retryMs);
    }
  }
}

export interface SlotPlace {
  readonly slot: number;
  /** Numbers of shards, from 1. */
  readonly from: number;
  readonly to: number;
}

/** One slot on its way from shard to shard, step by step: between `open` and `close` it is half-way. */
export class SlotMigration {
  readonly #cluster: RedisCluster;
  readonly #place: SlotPlace;

  constructor(cluster: RedisCluster, place: SlotPlace) {
    this.#cluster = cluster;
    this.#place = place;
  }

  /** From now on keys that the source lacks are asked for at the target. */
  async open(): Promise<void> {
    const { source, target } = await this.#ends();
    const [sourceId, targetId] = await Promise.all([source.myId(), target.myId()]);
    await unlessDone(setSlot(target, this.#place.slot, 'IMPORTING', sourceId), 'already the owner');
    await unlessDone(setSlot(source, this.#place.slot, 'MIGRATING', targetId), 'not the owner');
  }

  async moveKeys(): Promise<void> {
    const { source, target } = await this.#ends();
    const { slot } = this.#place;
    for (let keys = await keysIn(source, slot); keys.length > 0; keys = await keysIn(source, slot))
      await migrate(source, target, keys);
  }

  /** The target is the owner from now on, for all nodes. */
  async close(): Promise<void> {
    const { source, target } = await this.#ends();
    const id = await target.myId();
    // The target first: while nobody calls itself the owner, the slot would have none.
    await setSlot(target, this.#place.slot, 'NODE', id);
    await setSlot(source, this.#place.slot, 'NODE', id);
    const others = (await primariesOf(this.#cluster)).filter((node) => node !== source && node !== target);
    await Promise.all(others.map((node) => setSlot(node, this.#place.slot, 'NODE', id)));
  }

  async #ends(): Promise<{ source: ClusterNode; target: ClusterNode }> {
    const { from, to } = this.#place;
    const [source, target] = await Promise.all([ownerOf(this.#cluster, from), ownerOf(this.#cluster, to)]);
    return { source, target };
  }
}

/** A step that was done before says so. */
async function unlessDone(step: Promise<void>, sign: string): Promise<void> {
  await step.catch((error: Error) => {
    if (!error.message.includes(sign)) throw error;
  });
}

/** @throws Error when the shard has no primary now */
async function ownerOf(cluster: RedisCluster, shard: number): Promise<ClusterNode> {
  const primary = await cluster.primaryOf(shard);
  if (primary) return primary;
  throw new Error(`shard ${shard} has no primary now`);
}

async function primariesOf(cluster: RedisCluster): Promise<ClusterNode[]> {
  const shards = Array.from({ length: cluster.shardCount }, (_, index) => index + 1);
  const primaries = await Promise.all(shards.map((shard) => cluster.primaryOf(shard)));
  return primaries.filter((node) => node !== undefined);
}

async function setSlot(node: ClusterNode, slot: number, ...state: string[]): Promise<void> {
  await node.call('CLUSTER', 'SETSLOT', slot, ...state);
}

function keysIn(node: ClusterNode, slot: number): Promise<string[]> {
  return node.call<string[]>('CLUSTER', 'GETKEYSINSLOT', slot, keysAtOnce);
}

/** A key that both have is newer at the source, which answers for it as long as it has it. */
async function migrate(from: ClusterNode, to: ClusterNode, keys: readonly string[]): Promise<void> {
  const { access } = from;
  const login = access ? ['AUTH2', access.admin.name, access.admin.password] : [];
  await from.call('MIGRATE', '127.0.0.1', to.port, '', 0, keysMs, 'REPLACE', ...login, 'KEYS', ...keys);
}

/** Valkey copies the keys while they change, and hands over when it has all. */
async function moveAtOnce(cluster: RedisCluster, { from, to, slots }: Move): Promise<void> {
  const [source, target] = await Promise.all([ownerOf(cluster, from), ownerOf(cluster, to)]);
  await startAtomic(source, target, slots);
  for (;;) {
    const { state, message } = await lastMigration(source);
    if (state === 'success') return;
    if (state === 'failed' || state === 'cancelled')
      throw new Error(`the server gave the migration up: ${state}, ${message}`);
    await delay(pollMs);
  }
}

/** Does not wait for its end. */
export async function startAtomic(
  source: ClusterNode,
  target: ClusterNode,
  slots: readonly SlotRange[],
): Promise<void> {
  const ranges = slots.flat();
  await source.call('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', ...ranges, 'NODE', await target.myId());
}

/** @returns what the server says of the last one it was asked for, as names and values */
export async function lastMigration(source: ClusterNode): Promise<Record<string, string>> {
  const migrations = await source.call<unknown[][]>('CLUSTER', 'GETSLOTMIGRATIONS');
  const [last = []] = migrations;
  return Object.fromEntries(
    last.flatMap((name, index) => (index % 2 === 0 ? [[String(name), String(last[index + 1])]] : [])),
  );
}

/** The slot of a hash tag or key, as CLUSTER KEYSLOT says. */
export async function slotOf(cluster: RedisCluster, key: string): Promise<number> {
  const slot = await (await ownerOf(cluster, 1)).call<number>('CLUSTER', 'KEYSLOT', key);
  return slot % allSlots;
}
