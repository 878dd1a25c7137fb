import { randomBytes } from 'node:crypto';
import { type BridgedChannels, bridgesAcl, renderAcl, serviceAcl } from '../../../app/server/redis/acl.ts';
import { liveKitAcl } from '../../../livekit/config/redis-acl.ts';

export interface RedisUser {
  readonly name: string;
  readonly password: string;
  /** As in `ACL SETUSER`, without the password. */
  readonly rules: string;
}

export interface RedisUsers {
  readonly service: RedisUser;
  readonly liveKit: RedisUser;
  /** Of the service's bridges; there is one where some are configured. */
  readonly bridges?: RedisUser;
  /** For a person with `redis-cli`, and for tests. There is none on AWS. */
  readonly admin: RedisUser;
}

export interface RedisUsersOptions {
  /** Prefix of the service's keys and channels, as in `DEPLOYMENT`. */
  readonly deployment: string;
  /** The server's, such as `Redis 7.0.15`. */
  readonly version: string;
  /** @default there are no bridges */
  readonly bridges?: BridgedChannels | undefined;
}

/** Makes the users of the stack with the same permissions, so that a missing one shows here first. */
export function redisUsers({ deployment, version, bridges }: RedisUsersOptions): RedisUsers {
  return {
    service: user('app', renderAcl(serviceAcl(deployment))),
    liveKit: user('livekit', renderAcl(liveKitAcl(version))),
    ...(bridges && { bridges: user('bridges', renderAcl(bridgesAcl(bridges))) }),
    admin: user('admin', 'on ~* &* +@all'),
  };
}

/** By whom the nodes of a cluster replicate: as on ElastiCache, none of those with a name of the stack's. */
export function replicationUser(): RedisUser {
  return user('replication', 'on -@all +ping +psync +replconf');
}

/** Lines of the server's configuration. Nobody logs in without a name. */
export function userLines(users: readonly RedisUser[]): string[] {
  return [
    'user default off -@all',
    ...users.map(({ name, password, rules }) => `user ${name} >${password} ${rules}`),
  ];
}

function user(name: string, rules: string): RedisUser {
  return { name, password: randomBytes(32).toString('hex'), rules };
}
