import { atHome } from '../redis/buckets.ts';

/** Names in Redis of the deny list, which share a slot. */
export interface DenyListKeys {
  /** Hash: entry -> its state. */
  readonly states: string;
  /** Sorted set: entries by when their state is over. */
  readonly ends: string;
  readonly version: string;
  /** Each change is published on it. */
  readonly channel: string;
}

/** @param name another one for what only tries them */
export function denyListKeys(deployment: string, name = 'deny-list'): DenyListKeys {
  const key = (part: string) => atHome(deployment, name, part);
  return {
    states: key('states'),
    ends: key('ends'),
    version: key('version'),
    channel: key('changes'),
  };
}
