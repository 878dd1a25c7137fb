/** `npm run test:faults` sets it: each fault then meets more clients, messages and rooms, and lasts longer. */
const isFull = process.env.FAULTS === 'full';

/** @returns what `npm test` takes, or what `npm run test:faults` does */
export function scaled<T>(short: T, full: T): T {
  return isFull ? full : short;
}

/** Clients of `app/client` in each room of a `Scene`. */
export const members = scaled(4, 10);
