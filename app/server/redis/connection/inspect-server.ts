import type { Redis } from 'ioredis';

/** This version brought sharded Pub/Sub. */
const oldestMajor = 7;

/**
 * What a server must be to keep the contract, looked at on each new connection.
 *
 * @throws Error when the server is a replica, evicts, or is too old: it loses what was acknowledged, or can't be used
 * @returns what is legal but should be known
 */
export async function inspectServer(redis: Redis): Promise<string[]> {
  const sections = await Promise.all(['server', 'replication', 'memory'].map((name) => redis.info(name)));
  const info = sections.join('\n');
  const [, version, major] = /^redis_version:((\d+)\S*)/m.exec(info) ?? [];
  if (major !== undefined && Number(major) < oldestMajor) {
    throw new Error(
      `VERSION the server is Redis ${version}, and sharded Pub/Sub came with ${oldestMajor}.0. Use Redis 7.0, Valkey 7.2 or newer`,
    );
  }
  // A demoted primary still answers: what is written to it vanishes, and PUBLISH reports no error.
  if (/^role:slave/m.test(info)) throw new Error('READONLY the server is a replica');
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy && policy !== 'noeviction') {
    throw new Error(
      `EVICTION the server's maxmemory-policy is ${policy}: it would drop logs silently. Set it to noeviction`,
    );
  }
  if (/^master_replid:/m.test(info)) return [];
  return ['the server hides master_replid: a failover is recognized by run_id, and a restart costs an epoch'];
}

/** Is it one of a cluster's? */
export async function isOfCluster(redis: Redis): Promise<boolean> {
  return /^cluster_enabled:1/m.test(await redis.info('cluster'));
}
