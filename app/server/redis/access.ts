import type { Redis } from 'ioredis';
import type { RedisLink } from './connection/link.ts';

/** A primary, as this instance reaches it: the one that there is, or the one of a cluster that has a part of the keys. */
export interface RedisShard {
  readonly commands: Pick<RedisLink, 'connection'>;
  /** A message goes round through it now; whether it can be written, too, the server says to who tries. */
  available(): boolean;
  /** Its time, in milliseconds since 1970, no later than it is there; undefined: never heard. @default never heard */
  serverTime?(): number | undefined;
}

/** What a part of the service needs to ask Redis. */
export interface RedisAccess {
  /** Which shard has this key or channel now; undefined while nobody knows one. */
  shardOf(key: string): RedisShard | undefined;
}

/** Redis can't be asked now, and nothing was sent to it. */
export class RedisAwayError extends Error {
  override readonly name = 'RedisAwayError';

  constructor(message = 'Redis is away') {
    super(message);
  }
}

/** Called with which keys are on a new connection, or on another shard: what was there may be lost. */
export type OnReturn = (has: (key: string) => boolean) => void;

/** The same, for what must look after its keys again. */
export interface WatchedRedis extends RedisAccess {
  /** @returns ends it */
  onReturn(listener: OnReturn): () => void;
}

/** Where one shard has all keys. */
export function alone(shard: RedisShard): RedisAccess {
  return { shardOf: () => shard };
}

/**
 * The connection for a key while its shard is available. Undefined while it is away, or where there is none, for what can
 * do without. A server that stalls still takes commands, and nobody knows which: better to send none.
 *
 * All keys of one command must be in one slot. Where that has moved, the command follows it by itself.
 */
export function availableRedis(access: RedisAccess | undefined, key: string): Redis | undefined {
  const shard = access?.shardOf(key);
  return shard?.available() ? shard.commands.connection : undefined;
}

/** The same, for what can't do without it. @throws RedisAwayError */
export function assertAvailable(access: RedisAccess | undefined, key: string): Redis {
  return availableRedis(access, key) ?? away();
}

/** The connection for a key that stands, whether or not its shard is heard of: for what may come late. */
export function connectedRedis(access: RedisAccess | undefined, key: string): Redis | undefined {
  return access?.shardOf(key)?.commands.connection;
}

/** The same, for what is read at once on a new connection. @throws RedisAwayError */
export function assertConnected(access: RedisAccess | undefined, key: string): Redis {
  return connectedRedis(access, key) ?? away();
}

function away(): never {
  throw new RedisAwayError();
}

/**
 * Errors by which a server says what state it is in: it is full, can't save, has no replica, is one, or loads. They
 * concern everyone at once, so the heartbeat tells of them, and not each command that meets them.
 */
const states = ['OOM', 'MISCONF', 'NOREPLICAS', 'READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'BUSY'];

export function saysState({ message }: Error): boolean {
  return states.includes(/^[A-Z]+/.exec(message)?.[0] ?? '');
}

/** What is a fault of ours, and for the log: an answer that says nothing of the server's state. */
export function faultIn(error: Error): Error | undefined {
  return error.name === 'ReplyError' && !saysState(error) ? error : undefined;
}

/**
 * What the log gets: a fault of ours with its stack, and of an outage the words alone. The first stack of a process takes
 * half a second until it names lines of the sources, and nothing else is served meanwhile.
 */
export function loggedReason(error: Error): { readonly err: Error } | { readonly reason: string } {
  const fault = faultIn(error);
  return fault ? { err: fault } : { reason: error.message };
}
