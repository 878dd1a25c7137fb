import { Redis } from 'ioredis';
import { explainConnectFailure } from '../../../../app/server/redis/setting/diagnosis.ts';
import { serviceVariables } from '../../../../app/server/service-variables.ts';
import { list } from '../../../verify/wording.ts';
import { notChecked, passed } from '../../finding.ts';
import { type Check, type Finding, failed, warned } from '../check.ts';
import type { Probes } from '../probes.ts';
import type { NamedRedis, Subject } from '../subject.ts';

const timeoutMs = 4_000;

/** Reads from a Redis, and changes nothing there. @throws Error with the cause if it can't be reached */
async function ask<T>({ setting }: NamedRedis, read: (redis: Redis) => Promise<T>): Promise<T> {
  const [endpoint] = setting.endpoints;
  const { host, port } = endpoint;
  let fault: Error | undefined;
  const redis = new Redis({
    host,
    port,
    ...(setting.username === undefined ? {} : { username: setting.username }),
    ...(setting.password === undefined ? {} : { password: setting.password }),
    ...(setting.tls ? { tls: {} } : {}),
    db: setting.database,
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
  });
  redis.on('error', (error) => {
    fault ??= error;
  });
  try {
    await redis.connect();
    await redis.ping();
    return await read(redis);
  } catch (error) {
    throw await explainConnectFailure(fault ?? (error as Error), setting, endpoint);
  } finally {
    redis.disconnect();
  }
}

/** A name of a network of containers says nothing outside of it. */
const isOutOfReach = /does not resolve|ETIMEDOUT|timed out|EHOSTUNREACH|ENETUNREACH/;

export const redisAnswers: Check = {
  name: 'redis',
  applies: ({ redis }) => redis !== undefined,
  run: async ({ redis: named }) => {
    const redis = named as NamedRedis;
    try {
      const [memory, python] = await ask(redis, async (client) => [
        await client.info('memory').catch(() => ''),
        await subscribers(client, [pythonChannel]).catch(() => undefined),
      ]);
      return assess(redis, memory as string, (python as Subscribers | undefined)?.number ?? 0);
    } catch (error) {
      const { message } = error as Error;
      if (isOutOfReach.test(message))
        return notChecked(
          `the Redis of ${redis.source} can't be reached from here: ${message} Run this where the server runs: in its container or its network`,
        );
      return failed({
        found: `the Redis of ${redis.source} lets nobody in: ${message}`,
        cause: 'the server has no backplane with this setting: its instances do not see each other',
        fix: `correct ${redis.source} at the server, restart it, and look in its log for the line that says that Redis is connected`,
      });
    }
  },
};

function assess({ setting, source }: NamedRedis, memory: string, python: number): Finding {
  const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1];
  const answers = `the Redis of ${source} answers`;
  if (setting.password === undefined) {
    const isPython =
      python > 0 ? `; ${python} python-socketio servers listen on its channel “${pythonChannel}”` : '';
    return warned({
      found: `${answers} without a password${isPython}`,
      cause:
        'whoever reaches it may publish, and python-socketio up to 5.13 unpickles what arrives: that runs their code on every backend (CVE-2025-61765)',
      fix: 'give it a password, TLS and users that may do no more than they need; upgrade python-socketio to 5.15.1 or newer',
    });
  }
  if (policy !== undefined && policy !== 'noeviction')
    return warned({
      found: `${answers}, and evicts keys when its memory is full (maxmemory-policy ${policy})`,
      cause: 'what instances share may vanish: sessions, room logs, streams',
      fix: 'set maxmemory-policy to noeviction, or give the backplane a Redis of its own',
    });
  return passed(`${answers}, with a password${setting.tls ? ' and TLS' : ''}${policy ? `, ${policy}` : ''}`);
}

/** python-socketio's, unless its `channel` says otherwise. */
const pythonChannel = serviceVariables.pythonSocketioChannel.otherwise;
/** The adapters of Socket.IO for Node.js: the channels to which each instance subscribes. */
const adapterChannels = ['socket.io-request#/#', pythonChannel];
/** ASP.NET: `<application>.<hub>:all`. */
const hubChannels = '*:all';

interface Subscribers {
  readonly number: number;
  readonly channels: readonly string[];
}

async function subscribers(client: Redis, channels: readonly string[]): Promise<Subscribers> {
  if (channels.length === 0) return { number: 0, channels };
  const reply = (await client.pubsub('NUMSUB', ...channels)) as (string | number)[];
  const numbers = reply.filter((_, index) => index % 2 === 1).map(Number);
  return { number: Math.max(...numbers), channels: channels.filter((_, index) => (numbers[index] ?? 0) > 0) };
}

/** Finds out, without any message, whether the instances subscribe to what they are to share. */
export async function backplaneSubscribers({ redis, endpoints }: Subject): Promise<Subscribers> {
  return ask(redis as NamedRedis, async (client) => {
    const names = endpoints.some(({ protocol }) => protocol === 'signalr')
      ? ((await client.pubsub('CHANNELS', hubChannels)) as string[])
      : adapterChannels;
    return subscribers(client, names);
  });
}

/** The backplane of a server that is not ours, by what its instances subscribe to in Redis. */
export async function foreignBackplane(subject: Subject, probes: Probes): Promise<Finding> {
  if (!subject.redis)
    return notChecked(
      'that instances share a backplane shows in Redis: name it in REDIS_URL; or by --broadcast EVENT, a method that sends to everyone',
    );
  const found = await backplaneSubscribers(subject).catch(() => undefined);
  if (!found) return notChecked('the Redis can not be asked, see above');
  const [endpoint] = subject.endpoints;
  const instances = endpoint ? await probes.instances(endpoint).catch(() => 1) : 1;
  const { source } = subject.redis;
  if (found.number === 0)
    return failed({
      found: `no instance subscribes in the Redis of ${source} to what a backplane uses`,
      cause:
        'the server runs without a backplane, or with another Redis: instances see their own clients alone',
      fix: 'look in its log whether Redis is connected or not configured, and at the setting that it was started with (Socket.IO: an adapter; python-socketio: client_manager; ASP.NET: AddStackExchangeRedis)',
    });
  const seen = `${found.number} of them subscribe to ${list(found.channels.slice(0, 3))}`;
  if (found.number < instances)
    return failed({
      found: `about ${instances} instances answer, and ${seen}`,
      cause: 'some instances run without the backplane, or with another Redis',
      fix: 'give all instances the same setting, and look in the log of each whether Redis is connected',
    });
  return passed(`instances share the Redis of ${source}: ${seen}`);
}
