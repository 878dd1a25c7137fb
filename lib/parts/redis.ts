import type { Construct, IDependable } from 'constructs';
import { renderAcl, serviceAcl } from '../../app/server/redis/acl.ts';
import type { RedisFacts } from '../../livekit/config/redis.ts';
import { liveKitAcl } from '../../livekit/config/redis-acl.ts';
import { Backplane } from '../aws/backplane/backplane.ts';
import { ExistingRedis } from '../aws/backplane/existing-redis.ts';
import type { RedisAccess } from '../aws/backplane/redis-access.ts';
import type { Place } from '../aws/network/place.ts';
import type { RealtimeConfig } from '../config/config.ts';

/** The Redis of a deployment, whosever it is. */
export interface Redis {
  /** The stack's own cache, whose alarms are the stack's too. */
  readonly backplane?: Backplane;

  /** Whoever connects depends on it: it reads the address and reaches Redis as soon as it starts. */
  readonly source: IDependable;

  /** A way in for the service, as a user of its own where the stack makes users. */
  accessOfService(): RedisAccess;

  /** The same for LiveKit, and what its configuration says of it. */
  accessOfLiveKit(): LiveKitRedis;
}

export interface LiveKitRedis {
  readonly access: RedisAccess;
  readonly facts: Omit<RedisFacts, 'password'>;
}

/** @returns undefined without a backplane */
export function createRedis(scope: Construct, config: RealtimeConfig, place: Place): Redis | undefined {
  if (config.backplane === 'elasticache') return ownCache(scope, config, place);
  if (config.backplane === 'existing') return existing(scope, config);
  return undefined;
}

function ownCache(scope: Construct, config: RealtimeConfig, place: Place): Redis {
  const backplane = new Backplane(scope, 'Backplane', {
    place,
    nodeType: config.cacheNodeType,
    engineVersion: config.cacheEngineVersion,
    replicas: config.cacheReplicas,
    shards: config.cacheShards,
    snapshotRetentionDays: config.cacheSnapshotDays,
    maintenanceWindow: config.cacheMaintenanceWindow,
    passwordRound: config.passwordRound,
  });
  return {
    backplane,
    source: backplane,
    accessOfService: () => backplane.addUser('app', renderAcl(serviceAcl(config.stackName))),
    accessOfLiveKit: () => ({
      access: backplane.addUser('livekit', renderAcl(liveKitAcl())),
      facts: { endpoints: [backplane.endpoint], username: 'livekit', tls: true },
    }),
  };
}

/** All log in as one user: its permissions are the owner's. */
function existing(scope: Construct, config: RealtimeConfig): Redis {
  const { redisAddress, redisTls, redisSecurityGroupId, redisSecretArn } = config;
  const [host = '', port = '6379'] = redisAddress?.split(':') ?? [];
  const redis = new ExistingRedis(scope, 'Redis', {
    host,
    port: Number(port),
    tls: redisTls,
    securityGroupId: redisSecurityGroupId,
    secretArn: redisSecretArn,
  });
  return {
    source: redis,
    accessOfService: () => redis,
    accessOfLiveKit: () => ({
      access: redis,
      facts: { endpoints: [redis.endpoint], tls: redisTls, ...userOf(redis) },
    }),
  };
}

/** A reference: CloudFormation puts the name in. */
function userOf({ secret }: ExistingRedis): { readonly username?: string } {
  return secret ? { username: secret.secretValueFromJson('username').unsafeUnwrap() } : {};
}
