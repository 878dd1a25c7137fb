import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from './cluster-node.ts';

export const allSlots = 16_384;
/** Nodes that run find each other in a second. */
export const joinMs = 30_000;
export const retryMs = 25;

/**
 * Makes a cluster of nodes that run and know nothing of each other: gives out the slots, introduces all to each other, and
 * makes replicas of those that are not the first of their shard.
 *
 * @throws Error when they don't find each other
 */
export async function formCluster(nodes: readonly ClusterNode[], shardCount: number): Promise<void> {
  const primaries = Array.from(
    { length: shardCount },
    (_, index) => nodes.find(({ shard }) => shard === index + 1) as ClusterNode,
  );
  const ids = new Map<ClusterNode, string>();
  for (const [index, node] of nodes.entries()) {
    ids.set(node, await node.myId());
    // Epochs that differ from the start: no two nodes ever have to agree on who gives way.
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  }
  for (const [index, primary] of primaries.entries()) {
    const first = Math.floor((index * allSlots) / shardCount);
    const last = Math.floor(((index + 1) * allSlots) / shardCount) - 1;
    await primary.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
  }
  await Promise.all(nodes.map((node, index) => introduce(node, nodes.slice(index + 1))));
  await untilAllKnowAll(nodes);
  await Promise.all(
    nodes.map((node) => {
      const primary = primaries[node.shard - 1] as ClusterNode;
      return node === primary ? undefined : node.call('CLUSTER', 'REPLICATE', ids.get(primary) as string);
    }),
  );
}

async function introduce(node: ClusterNode, others: readonly ClusterNode[]): Promise<void> {
  for (const { port, busPort } of others) await node.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort);
}

async function untilAllKnowAll(nodes: readonly ClusterNode[]): Promise<void> {
  const knowsAll = async (node: ClusterNode) => {
    const known = await node.entries().catch(() => []);
    return known.filter(({ flags }) => !flags.includes('handshake')).length === nodes.length;
  };
  await until(
    async () => (await Promise.all(nodes.map(knowsAll))).every(Boolean),
    joinMs,
    () => `the ${nodes.length} nodes of the cluster did not find each other`,
  );
}

/** @throws Error with the fault where it does not hold within so many milliseconds */
export async function until(
  isSo: () => Promise<boolean>,
  longestMs: number,
  fault: () => string,
): Promise<void> {
  if (!(await holds(isSo, longestMs))) throw new Error(`${fault()} after ${longestMs / 1_000} s`);
}

/** @returns whether it came to hold within so many milliseconds */
export async function holds(
  isSo: () => Promise<boolean>,
  longestMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + longestMs;
  while (!signal?.aborted) {
    if (await isSo()) return true;
    if (performance.now() > deadline) return false;
    await delay(retryMs);
  }
  return false;
}
