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
  /** `none`: nobody is authenticated. Without it a secret or a JWKS is required. */
  auth: 'AUTH',
  /** The key of HS256 tokens; two, separated by a comma, while one replaces the other. */
  authSecret: 'AUTH_SECRET',
  /** Where the public keys of tokens are published. */
  authJwksUrl: 'AUTH_JWKS_URL',
  authIssuer: 'AUTH_ISSUER',
  authAudience: 'AUTH_AUDIENCE',
  /** `true`: `/api/session` gives a token to whoever asks. */
  guests: 'GUESTS',
  /** What backends and operators show to the HTTP API; two, separated by a comma, while one replaces the other. */
  serviceToken: 'SERVICE_TOKEN',
  /** Proxies in front whose `X-Forwarded-For` is believed. */
  trustedProxyHops: 'TRUSTED_PROXY_HOPS',
  /** Seconds over which the clients of an instance that leaves are sent elsewhere. */
  drainSeconds: 'DRAIN_SECONDS',
  /** Set by Amazon ECS in each container. */
  ecsMetadataUri: 'ECS_CONTAINER_METADATA_URI_V4',
  /** Port of `/metrics` and `/instance`, which no load balancer reaches; absent: they are not served. */
  adminPort: 'ADMIN_PORT',
  /** CloudWatch namespace of the metrics that the log carries; absent: it carries none. */
  emfNamespace: 'EMF_NAMESPACE',
  /** `offline` (default) or `bedrock`. */
  modelProvider: 'MODEL_PROVIDER',
  /** A Bedrock model, or inference profile. */
  modelId: 'MODEL_ID',
  /** Where browsers find LiveKit, `wss://…`; absent: there are no calls. */
  livekitUrl: 'LIVEKIT_URL',
  /** Where the service finds LiveKit's API; absent: at the same place. */
  livekitApiUrl: 'LIVEKIT_API_URL',
  livekitApiKey: 'LIVEKIT_API_KEY',
  livekitApiSecret: 'LIVEKIT_API_SECRET',
} as const;

/** Port the service listens on unless `PORT` says otherwise. */
export const defaultPort = 3000;

export const paths = {
  live: '/health/live',
  ready: '/health/ready',
  socketIo: '/socket.io/',
  session: '/api/session',
  /** `:hub` and `:room` are URL-encoded. */
  messages: '/api/hubs/:hub/rooms/:room/messages',
  livekitToken: '/api/livekit/token',
  livekitAgent: '/api/livekit/agent',
  livekitParticipants: '/api/livekit/participants',
  livekitWebhook: '/api/livekit/webhook',
  metrics: '/metrics',
  /** Which rooms and users this instance holds. */
  instance: '/instance',
} as const;

/** Socket.IO's heartbeat in milliseconds (its own default); a proxy's idle timeout must be above it. */
export const pingIntervalMs = 25_000;

/** What the voice agent's worker is called where a call asks for it; `LIVEKIT_AGENT_NAME` of the agent. */
export const agentName = 'voice';
