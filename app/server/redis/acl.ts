/**
 * What the service may do in Redis, for whoever makes its user: the stack, the local topology. Constants and pure
 * functions alone, so that `lib/` can import them.
 */

import { redisName } from './keys.ts';

/** A Redis user's permissions, in the words of `ACL SETUSER`. */
export interface AclRules {
  /** Key patterns. */
  readonly keys: readonly string[];
  /** Pub/Sub channel patterns. */
  readonly channels: readonly string[];
  /** Commands, or commands with a subcommand, such as `xinfo|stream`. */
  readonly commands: readonly string[];
}

/** Commands that the service sends, alone or in its scripts. */
const commands = {
  connection: ['client|setname', 'info', 'ping', 'select', 'time', 'wait'],
  cluster: ['asking', 'cluster|slots'],
  scripts: ['eval', 'evalsha'],
  channels: ['pubsub|shardnumsub', 'spublish', 'ssubscribe', 'sunsubscribe'],
  keys: ['del', 'exists', 'pexpire', 'pttl'],
  strings: ['append', 'get', 'set'],
  hashes: ['hdel', 'hexists', 'hget', 'hincrby', 'hkeys', 'hlen', 'hmget', 'hscan', 'hset'],
  sets: ['sadd', 'scard', 'smembers', 'spop', 'srem'],
  sortedSets: ['zadd', 'zcard', 'zrange', 'zrangebyscore', 'zrem', 'zremrangebyscore', 'zscore'],
  streams: ['xadd', 'xinfo|stream', 'xrange', 'xtrim'],
} as const;

/** @param deployment prefix of every key and channel, as in `DEPLOYMENT` */
export function serviceAcl(deployment: string): AclRules {
  return {
    keys: [redisName(deployment, '*')],
    channels: [redisName(deployment, '*')],
    commands: Object.values(commands).flat(),
  };
}

/** Channels of other programs that bridges hear. */
export interface BridgedChannels {
  /** `channel` of python-socketio, on which is published, too. @default it is not joined */
  readonly python?: string | undefined;
  /** `key` of emitters, and the namespaces that hear them. @default they are not heard */
  readonly emitter?: { readonly prefix: string; readonly namespaces: readonly string[] } | undefined;
}

/** What the service's variables say of the bridges, as its table reads them. */
export interface BridgeVariables {
  readonly pythonSocketio: readonly { readonly namespace: string }[] | undefined;
  readonly pythonSocketioChannel: string;
  readonly emitter: readonly { readonly namespace: string }[] | undefined;
  readonly emitterPrefix: string;
}

/** What the service will hear. @returns undefined where it has no bridge */
export function bridgedChannels({
  pythonSocketio,
  pythonSocketioChannel,
  emitter,
  emitterPrefix,
}: BridgeVariables): BridgedChannels | undefined {
  if (!pythonSocketio && !emitter) return undefined;
  return {
    python: pythonSocketio && pythonSocketioChannel,
    emitter: emitter && { prefix: emitterPrefix, namespaces: emitter.map(({ namespace }) => namespace) },
  };
}

/** What the bridges may do: channels of others by their names, and no key. */
export function bridgesAcl({ python, emitter }: BridgedChannels): AclRules {
  const commands = ['client|setname', 'info', 'ping', 'select', 'subscribe', 'unsubscribe'];
  return {
    keys: [],
    channels: [
      ...(python === undefined ? [] : [python]),
      // A pattern is subscribed only where an ACL has the same one, letter by letter.
      ...(emitter?.namespaces ?? []).flatMap((namespace) => [
        `${emitter?.prefix}#${namespace}#*`,
        `${emitter?.prefix}-request#${namespace}#`,
      ]),
    ],
    commands: [
      ...commands,
      ...(emitter ? ['psubscribe', 'punsubscribe'] : []),
      ...(python === undefined ? [] : ['publish']),
    ].sort(),
  };
}

/** The rules as one line of an ACL file, after the user's name and before its password. */
export function renderAcl({ keys, channels, commands: allowed }: AclRules): string {
  return [
    'on',
    ...keys.map((pattern) => `~${pattern}`),
    ...channels.map((pattern) => `&${pattern}`),
    '-@all',
    ...allowed.map((command) => `+${command}`),
  ].join(' ');
}
