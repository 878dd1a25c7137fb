import { assertAvailable, type RedisAccess } from '../redis/access.ts';
import { inBucket } from '../redis/buckets.ts';
import { NamedScript } from '../redis/script.ts';
import { askBuckets, throwFirst } from '../redis/settled.ts';

const fence = new NamedScript(
  { keys: ['fence'], args: ['owner', 'keptMs'] },
  new URL('./scripts/fence.lua', import.meta.url),
);

/**
 * Sorted set of the owners under whose names nothing is written in a bucket any more, by when that began. Leases are
 * elsewhere, so a script that writes under an owner's name asks it instead.
 */
export function fenceKey(deployment: string, bucket: string): string {
  return inBucket(deployment, bucket, 'leases', 'fence');
}

export interface FenceOptions {
  readonly links: RedisAccess;
  readonly deployment: string;
  readonly owner: string;
  /** In milliseconds: longer than anything that the owner has sent may be under way. */
  readonly keptMs: number;
}

/** @throws Error where that can't be said in each bucket: to be done again */
export async function fenceEverywhere({ links, deployment, owner, keptMs }: FenceOptions): Promise<void> {
  const { fault } = await askBuckets(async (bucket) => {
    const key = fenceKey(deployment, bucket);
    await fence.run(assertAvailable(links, key), { fence: key }, { owner, keptMs });
  });
  throwFirst(fault);
}
