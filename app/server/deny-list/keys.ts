import { hashTag, redisName } from '../redis/keys.ts';

/** Names in Redis of the deny list. */
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
  const key = (part: string) => redisName(deployment, hashTag(name), part);
  return {
    states: key('states'),
    ends: key('ends'),
    version: key('version'),
    channel: redisName(deployment, name),
  };
}
