/**
 * The names that the service shares with whatever starts it: the stack, the local topology, a container.
 * Only constants stand here, so that `lib/` can import them without the service's dependencies.
 */

/** Environment variables that the service reads, once, at its entry. */
export const environmentNames = {
  port: 'PORT',
  host: 'HOST',
  /** StackExchange's shape, as .NET's configuration spells `ConnectionStrings:Redis`. */
  redisConnectionString: 'ConnectionStrings__Redis',
  redisUrl: 'REDIS_URL',
  /** Name of the SSM parameter that holds the Redis setting. */
  redisUrlParameter: 'REDIS_URL_PARAMETER',
  /** A secret of Secrets Manager with the Redis user and password, in place of the setting's own. */
  redisSecretId: 'REDIS_SECRET_ID',
  /** `required` (default) or `preferred`: what to do while Redis can't be reached. */
  backplane: 'BACKPLANE',
  /** Prefix of every key and channel in Redis, so that two deployments can share one server. */
  deployment: 'DEPLOYMENT',
  /** Shown to clients and in logs; random when absent. */
  instanceId: 'INSTANCE_ID',
  /** The load balancer's idle timeout in seconds: keep-alive outlasts it. */
  idleTimeoutSeconds: 'IDLE_TIMEOUT_SECONDS',
  /** Comma-separated browser origins besides the page's own; `*` for any. */
  corsOrigins: 'CORS_ORIGINS',
  logLevel: 'LOG_LEVEL',
} as const;

/** Port the service listens on unless `PORT` says otherwise. */
export const defaultPort = 3000;

export const paths = {
  live: '/health/live',
  ready: '/health/ready',
  socketIo: '/socket.io/',
} as const;

/** Socket.IO's heartbeat in milliseconds (its own default); a proxy's idle timeout must be above it. */
export const pingIntervalMs = 25_000;
