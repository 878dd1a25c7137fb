import type { Redis } from 'ioredis';
import { slotCount } from '../buckets.ts';

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
