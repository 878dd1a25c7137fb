import type { RedisFacts } from './redis.ts';

/** Environment variables of livekit-server 1.13. It ignores unknown names, and the node then silently runs alone. */
export const liveKitEnvironment = {
  /** The whole configuration. LiveKit does not read `LIVEKIT_CONFIG_BODY`. */
  config: 'LIVEKIT_CONFIG',
  /** API keys and their secrets, as YAML. */
  keys: 'LIVEKIT_KEYS',
  redisPassword: 'REDIS_PASSWORD',
  /** The address that the node gives to clients. */
  nodeIp: 'NODE_IP',
} as const;

export interface ApiKey {
  readonly key: string;
  /** LiveKit signs with it; it must have 32 characters or more. */
  readonly secret: string;
}

/**
 * The secrets that must not be part of the configuration, as variables: the API keys, and the Redis password if there
 * is one.
 *
 * @param keys one key, or two while one replaces the other
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
