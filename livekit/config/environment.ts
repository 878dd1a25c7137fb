import type { RedisFacts } from './redis.ts';

/** Environment variables of livekit-server 1.13. A wrong name is ignored, and the node silently runs alone. */
export const liveKitEnvironment = {
  /** The whole configuration; `LIVEKIT_CONFIG_BODY` is not read. */
  config: 'LIVEKIT_CONFIG',
  /** API keys and their secrets. */
  keys: 'LIVEKIT_KEYS',
  redisPassword: 'REDIS_PASSWORD',
  /** The address that the node tells clients. */
  nodeIp: 'NODE_IP',
} as const;

export interface ApiKey {
  readonly key: string;
  /** 32 characters or more: LiveKit signs with it. */
  readonly secret: string;
}

/**
 * What must not stand in the configuration, as variables: the API keys, and the Redis password where there is one.
 * @param keys the first signs webhooks where the configuration names it; two while one replaces the other
 */
export function secretEnvironment(
  keys: readonly ApiKey[],
  redis?: Pick<RedisFacts, 'password'>,
): Record<string, string> {
  return {
    // LiveKit reads YAML here, and JSON is YAML.
    [liveKitEnvironment.keys]: JSON.stringify(
      Object.fromEntries(keys.map(({ key, secret }) => [key, secret])),
    ),
    ...(redis?.password === undefined ? {} : { [liveKitEnvironment.redisPassword]: redis.password }),
  };
}
