import type { AclRules } from '../../../app/server/redis/acl.ts';

export interface BackendAclProps {
  /** Patterns of the Pub/Sub channels that connect its instances, such as `socketio` for python-socketio. */
  readonly channels: readonly string[];

  /** Prefix of all its keys, such as `backend:`. It keeps two services on one cache apart. */
  readonly keyPrefix: string;
}

/** What caches and sessions are made of. Nothing here lists keys, for that would show those of other services. */
const commands = {
  connection: ['client|id', 'client|setinfo', 'client|setname', 'info', 'ping'],
  // Clients of a cluster ask who has which slots and where a command has its keys, and follow a slot that moves.
  cluster: ['asking', 'cluster|slots', 'command'],
  channels: ['publish', 'subscribe', 'unsubscribe'],
  keys: ['del', 'exists', 'expire', 'pexpire', 'pttl', 'ttl', 'unlink'],
  strings: ['decr', 'decrby', 'get', 'getdel', 'getex', 'incr', 'incrby', 'mget', 'psetex', 'set', 'setex'],
  hashes: ['hdel', 'hexists', 'hget', 'hgetall', 'hincrby', 'hkeys', 'hlen', 'hmget', 'hset'],
  sets: ['sadd', 'scard', 'sismember', 'smembers', 'srem'],
  transactions: ['discard', 'exec', 'multi', 'unwatch', 'watch'],
} as const;

/**
 * Permissions of a backend of your own, whose instances speak by Pub/Sub and share a cache and sessions. The cache evicts
 * nothing, so every key that it writes must have an age.
 *
 * @throws Error if a prefix or a pattern would be that of everything
 */
export function backendAcl({ channels, keyPrefix }: BackendAclProps): AclRules {
  const wrong = [...channels.map((channel) => channel.replace(/\*$/, '')), keyPrefix].find(
    (name) => !/^[^\s*?[\]\\]+$/.test(name),
  );
  if (wrong !== undefined)
    throw new Error(
      `\`keyPrefix\` and \`channels\` must be names without spaces and wildcards, but for a star at the end of a channel, got: ${JSON.stringify(wrong)}; write backend: and socketio`,
    );
  return {
    keys: [`${keyPrefix}*`],
    channels,
    commands: Object.values(commands).flat(),
  };
}

/**
 * Permissions for a client library that connects instances by Pub/Sub alone, as the backplanes of SignalR and
 * python-socketio do.
 *
 * @param prefix of every channel of the service; it keeps two services on one cache apart
 */
export function pubSubAcl(prefix: string): AclRules {
  return {
    // StackExchange.Redis reads this key to choose between primaries, and announces changes on this channel.
    keys: ['__Booksleeve_TieBreak'],
    channels: [`${prefix}*`, '__Booksleeve_MasterChanged'],
    commands: [
      'client|id',
      'client|setinfo',
      'client|setname',
      // Without it, StackExchange.Redis takes a cluster for a single server (StackExchange.Redis#1795).
      'cluster|nodes',
      'echo',
      'get',
      'info',
      'ping',
      'publish',
      'subscribe',
      'unsubscribe',
    ],
  };
}
