import { OriginsError, parseOrigins } from '../origins.ts';
import { defaultRetention } from './rooms/log/retention.ts';
import {
  anyText,
  matching,
  oneOf,
  RuleError,
  someText,
  trueOrFalse,
  urlOf,
  type Variables,
  wholeNumber,
} from './variables.ts';

const name = (most: number) =>
  matching(new RegExp(`^[A-Za-z0-9_.-]{1,${most}}$`), `1–${most} of A–Z a–z 0–9 _ . -`);

const claimName = matching(/^\S{1,256}$/, 'the name of a claim, in 1–256 characters without spaces');

/** 256 bits in hexadecimal are 64 characters, in base64 44; what is shorter than 32 can be guessed. */
function secret(text: string): string {
  if (text.length < 32) throw new RuleError('must have 32 characters or more');
  return text;
}

function secrets(text: string): readonly string[] {
  const all = text.split(',').filter((each) => each !== '');
  if (all.length > 2) throw new RuleError('must be one, or two while one replaces the other');
  return all.map(secret);
}

function origins(text: string): readonly string[] {
  try {
    return parseOrigins(text);
  } catch (error) {
    if (!(error instanceof OriginsError)) throw error;
    throw new RuleError(`must list origins: ${error.message}`);
  }
}

const none: readonly string[] = [];

/** Such as `/=emit,/bots=publish`. */
function bridgedNamespaces(text: string) {
  const all = text.split(',').map((each) => /^(\/[^=,\s]*)=(emit|publish)$/.exec(each.trim()));
  const namespaces = all.map((match) => ({
    namespace: match?.[1] ?? '',
    mode: match?.[2] === 'publish' ? ('publish' as const) : ('emit' as const),
  }));
  if (all.includes(null) || new Set(namespaces.map(({ namespace }) => namespace)).size < all.length) {
    throw new RuleError('must list namespaces, each once and with `emit` or `publish`: /=emit,/bots=publish');
  }
  return namespaces;
}

function versionOf(text: string): readonly [number, number, number] {
  const [, major, minor, patch = '0'] = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?$/.exec(text) ?? [];
  if (major === undefined) throw new RuleError('must be a version such as 5.10.0');
  return [Number(major), Number(minor), Number(patch)];
}

/** Channels of Redis that no pattern of an ACL takes for others. */
const channelName = matching(/^[A-Za-z0-9_.:-]{1,64}$/, '1–64 of A–Z a–z 0–9 _ . : -');
const newest: readonly [number, number, number] = [9_999, 0, 0];

/** The environment of the service: every variable that it reads. */
export const serviceVariables = {
  port: {
    name: 'PORT',
    read: wholeNumber(1, 65_535),
    otherwise: 3000,
    about: 'port that it listens on',
  },
  host: {
    name: 'HOST',
    read: someText,
    otherwise: '0.0.0.0',
    about: 'address that it listens on',
  },
  redisConnectionString: {
    name: 'ConnectionStrings__Redis',
    read: anyText,
    about:
      'Redis, in either shape: `redis[s]://…`, or `host:port,password=…,ssl=true`. Empty or `none`: single-instance mode',
    isSecret: true,
  },
  redisUrl: {
    name: 'REDIS_URL',
    read: anyText,
    about: 'the same, unless the one above is set',
    isSecret: true,
  },
  redisUrlParameter: {
    name: 'REDIS_URL_PARAMETER',
    read: anyText,
    about: 'name of an SSM parameter with the same, unless one of those above is set',
  },
  redisSecretId: {
    name: 'REDIS_SECRET_ID',
    read: anyText,
    about: 'a secret of Secrets Manager with the Redis user and password, read at each connect',
    isSecret: true,
  },
  backplane: {
    name: 'BACKPLANE',
    read: oneOf('required', 'preferred'),
    otherwise: 'required',
    about: '`preferred`: serve alone while Redis is away, and say so',
  },
  deployment: {
    name: 'DEPLOYMENT',
    read: name(32),
    otherwise: 'realtime',
    about: 'prefix of every key and channel, so that two deployments can share one Redis',
  },
  instanceId: {
    name: 'INSTANCE_ID',
    read: name(64),
    about: 'shown to clients and in logs; else the host name and a random part',
  },
  idleTimeoutSeconds: {
    name: 'IDLE_TIMEOUT_SECONDS',
    read: wholeNumber(1, 4_000),
    otherwise: 60,
    about: 'seconds after which the load balancer closes an idle connection; keep-alive outlasts it',
  },
  corsOrigins: {
    name: 'CORS_ORIGINS',
    read: origins,
    otherwise: none,
    about:
      "pages besides the service's own that may connect, with commas between them: `https://app.example.com`, `https://*.example.com` for one label in place of `*`, `capacitor://localhost`, `null`; `*` for all",
  },
  logLevel: {
    name: 'LOG_LEVEL',
    read: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    otherwise: 'info',
    about: '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`',
  },
  auth: {
    name: 'AUTH',
    read: oneOf('none'),
    about: '`none`: everyone is let in',
  },
  authSecret: {
    name: 'AUTH_SECRET',
    read: secrets,
    otherwise: none,
    about:
      'key of the tokens (HS256, HS384, HS512) that are taken, of 32 characters or more; two with a comma while one replaces the other',
    isSecret: true,
  },
  authJwksUrl: {
    name: 'AUTH_JWKS_URL',
    read: urlOf('http', 'https'),
    about: 'where an identity provider publishes the keys of tokens that are taken, too',
  },
  authIssuer: {
    name: 'AUTH_ISSUER',
    read: someText,
    about: '`iss` that tokens must have',
  },
  authAudience: {
    name: 'AUTH_AUDIENCE',
    read: someText,
    about: '`aud` that tokens must have',
  },
  authSubjectClaim: {
    name: 'AUTH_SUBJECT_CLAIM',
    read: claimName,
    about:
      'claim that says who a user is, in place of `sub`: `nameid` for tokens of ASP.NET, or its long form (`http://schemas.xmlsoap.org/…/nameidentifier`); `user.id` is `id` inside `user`. With both a secret and a JWKS it holds for the tokens of the provider alone',
  },
  authNameClaim: {
    name: 'AUTH_NAME_CLAIM',
    read: claimName,
    about: 'claim that says what to call a user, in place of `name`: `unique_name` for tokens of ASP.NET',
  },
  guests: {
    name: 'GUESTS',
    read: trueOrFalse,
    otherwise: false,
    about: '`true`: `/api/session` gives a token to whoever asks',
  },
  serviceToken: {
    name: 'SERVICE_TOKEN',
    read: secrets,
    otherwise: none,
    about: 'opens the HTTP API to backends; two with a comma while one replaces the other',
    isSecret: true,
  },
  mainHub: {
    name: 'MAIN_HUB',
    read: trueOrFalse,
    otherwise: false,
    about:
      '`true`: the hub `main` is served at Socket.IO’s namespace `/`, for clients that know of no hubs; else `/` lets nobody in',
  },
  pythonSocketio: {
    name: 'PYTHON_SOCKETIO',
    read: bridgedNamespaces,
    about:
      'namespaces that are [joined to python-socketio](app/server/bridges/README.md), each with how: `/=emit,/bots=publish`; else none is',
  },
  pythonSocketioChannel: {
    name: 'PYTHON_SOCKETIO_CHANNEL',
    read: channelName,
    otherwise: 'socketio',
    about: '`channel` of its `AsyncRedisManager`',
  },
  pythonSocketioVersion: {
    name: 'PYTHON_SOCKETIO_VERSION',
    read: versionOf,
    otherwise: newest,
    about: 'the oldest version of it that is joined; without it, 5.15.1 or newer is expected',
  },
  emitter: {
    name: 'EMITTER',
    read: bridgedNamespaces,
    about:
      'namespaces that hear [`@socket.io/redis-emitter`](app/server/bridges/README.md) and its like, each with how: `/=emit,/bots=publish`; else none does',
  },
  emitterPrefix: {
    name: 'EMITTER_PREFIX',
    read: channelName,
    otherwise: 'socket.io',
    about: '`key` of the emitters, with which their channels begin',
  },
  bridgesRedisUrl: {
    name: 'BRIDGES_REDIS_URL',
    read: anyText,
    about: "where python-socketio's and the emitters' Redis is, in either shape; else it is the service's",
    isSecret: true,
  },
  bridgesRedisSecretId: {
    name: 'BRIDGES_REDIS_SECRET_ID',
    read: anyText,
    about: 'a secret of Secrets Manager with the Redis user and password of the bridges',
    isSecret: true,
  },
  trustedProxyHops: {
    name: 'TRUSTED_PROXY_HOPS',
    read: wholeNumber(0, 10),
    otherwise: 0,
    about: '[proxies in front](#behind-a-proxy-of-your-own), whose `X-Forwarded-For` is believed',
  },
  drainSeconds: {
    name: 'DRAIN_SECONDS',
    read: wholeNumber(0, 600),
    otherwise: 10,
    about: 'seconds over which the clients of an instance that leaves are sent elsewhere',
  },
  roomLogMessages: {
    name: 'ROOM_LOG_MESSAGES',
    read: wholeNumber(10, 100_000),
    otherwise: defaultRetention.maxLength,
    about: 'messages that the log of a room keeps: what a client can miss and still recover',
  },
  roomLogBytes: {
    name: 'ROOM_LOG_BYTES',
    read: wholeNumber(10_000, 100_000_000),
    otherwise: defaultRetention.maxBytes,
    about: 'bytes of message text that it keeps',
  },
  roomLogSeconds: {
    name: 'ROOM_LOG_SECONDS',
    read: wholeNumber(10, 86_400),
    otherwise: defaultRetention.maxAgeMs / 1_000,
    about: 'seconds for which it keeps a message: the longest absence that a client recovers from',
  },
  roomMetaSeconds: {
    name: 'ROOM_META_SECONDS',
    read: wholeNumber(3_600, 31_536_000),
    otherwise: defaultRetention.metaAgeMs / 1_000,
    about: "seconds for which a room's epochs outlive its last use; above `ROOM_LOG_SECONDS`",
  },
  ecsMetadataUri: {
    name: 'ECS_CONTAINER_METADATA_URI_V4',
    read: urlOf('http', 'https'),
    about: 'set by Amazon ECS in each container: where the task asks for its own state',
  },
  adminPort: {
    name: 'ADMIN_PORT',
    read: wholeNumber(1, 65_535),
    about: 'port of `/metrics` and `/instance`, which must not be public; else they are not served',
  },
  relayPort: {
    name: 'RELAY_PORT',
    read: wholeNumber(0, 65_535),
    otherwise: 0,
    about: 'port on which instances reach each other, open to nobody else; 0: any that is free',
  },
  relayHost: {
    name: 'RELAY_HOST',
    read: someText,
    about: 'address by which other instances reach this one; else the one by which it reaches Redis',
  },
  emfNamespace: {
    name: 'EMF_NAMESPACE',
    read: matching(/^.{1,255}$/, '1–255 characters'),
    about: 'CloudWatch namespace of the metrics that the log carries; else it carries none',
  },
  modelProvider: {
    name: 'MODEL_PROVIDER',
    read: oneOf('offline', 'bedrock'),
    otherwise: 'offline',
    about: 'which model replies in the llm hub; `offline` needs no key',
  },
  modelId: {
    name: 'MODEL_ID',
    read: someText,
    about: 'a Bedrock model, or inference profile',
  },
  liveKitUrl: {
    name: 'LIVEKIT_URL',
    read: urlOf('ws', 'wss'),
    about: 'where browsers find LiveKit; without it the page says that there is no media server',
  },
  liveKitApiUrl: {
    name: 'LIVEKIT_API_URL',
    read: urlOf('http', 'https'),
    about: "where the service finds LiveKit's API; else at the same place",
  },
  liveKitApiKey: {
    name: 'LIVEKIT_API_KEY',
    read: name(64),
    about: 'key that calls are signed with',
    isSecret: true,
  },
  liveKitApiSecret: {
    name: 'LIVEKIT_API_SECRET',
    read: secret,
    about: 'its secret, of 32 characters or more',
    isSecret: true,
  },
  liveKitPreviousApiKey: {
    name: 'LIVEKIT_PREVIOUS_API_KEY',
    read: name(64),
    about: "the key before, while LiveKit's nodes are replaced and may still sign their reports with it",
    isSecret: true,
  },
  liveKitPreviousApiSecret: {
    name: 'LIVEKIT_PREVIOUS_API_SECRET',
    read: secret,
    about: 'its secret',
    isSecret: true,
  },
} as const satisfies Variables;

/** Those that say which channels of other programs the service hears. */
export const bridgeVariables = {
  pythonSocketio: serviceVariables.pythonSocketio,
  pythonSocketioChannel: serviceVariables.pythonSocketioChannel,
  emitter: serviceVariables.emitter,
  emitterPrefix: serviceVariables.emitterPrefix,
} as const;
