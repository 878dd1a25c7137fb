import type { Redis } from 'ioredis';
import type { RedisLink } from './connection/link.ts';

/** What a part of the service needs to ask Redis. */
export interface RedisAccess {
  readonly commands: Pick<RedisLink, 'connection'>;
  /** A message goes round through Redis now; whether it can be written, too, the server says to who tries. */
  available(): boolean;
}

/** Redis can't be asked now, and nothing was sent to it. */
export class RedisAwayError extends Error {
  override readonly name = 'RedisAwayError';

  constructor(message = 'Redis is away') {
    super(message);
  }
}

/**
 * The connection while Redis is available. Undefined while it is away, or where there is none, for what can do without.
 * A server that stalls still takes commands, and nobody knows which: better to send none.
 */
export function availableRedis(access: RedisAccess | undefined): Redis | undefined {
  return access?.available() ? access.commands.connection : undefined;
}

/** The same, for what can't do without it. @throws RedisAwayError */
export function assertAvailable(access: RedisAccess | undefined): Redis {
  return availableRedis(access) ?? away();
}

/**
 * The connection that stands, whether or not Redis is heard of: for what is read at once on a new connection, and for
 * what may come late.
 *
 * @throws RedisAwayError
 */
export function assertConnected({ commands }: Pick<RedisAccess, 'commands'>): Redis {
  return commands.connection ?? away();
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
