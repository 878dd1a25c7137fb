import { isFull } from './full-runs.ts';

/**
 * In full each fault meets more clients, messages and rooms, and lasts longer.
 *
 * @returns what `npm test` takes, or what `npm run test:faults` does
 */
export function scaled<T>(short: T, full: T): T {
  return isFull('faults') ? full : short;
}

/** Clients of `app/client` in each room of a `Scene`. */
export const members = scaled(4, 10);
