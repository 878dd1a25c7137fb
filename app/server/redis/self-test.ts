import type { Redis } from 'ioredis';

/** What a server must be to keep the contract, looked at on each new connection. */

/**
 * @throws Error when the server is a replica, or evicts: both lose what was acknowledged
 * @returns what is legal but should be known
 */
export async function inspectServer(redis: Redis): Promise<string[]> {
  const info = `${await redis.info('replication')}\n${await redis.info('memory')}`;
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
