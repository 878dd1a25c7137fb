import type { Leases } from './leases.ts';
import { makeOwner } from './owner.ts';

/** Leases without others: nobody else ever dies, and this one's is never ended. */
export function openMemoryLeases(instance = 'alone'): Leases {
  const nothingToEnd = () => undefined;
  return {
    owner: makeOwner(instance),
    onExpired: () => nothingToEnd,
    onRenewed: () => nothingToEnd,
    close: async () => undefined,
  };
}
