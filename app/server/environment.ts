import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { RedisSources } from './redis/setting/source.ts';
import type { Retention } from './rooms/log/retention.ts';
import { serviceVariables } from './service-variables.ts';
import { misspelt, namesOf, readVariables, rule, type Values, type VariableRule } from './variables.ts';

/** All that the service takes from its environment. */
export type Environment = ReturnType<typeof readEnvironment>;

type ServiceValues = Values<typeof serviceVariables>;
type ServiceRule = VariableRule<typeof serviceVariables>;

const names = namesOf(serviceVariables);

/** What each variable allows by itself and the others don't. */
const rules: readonly ServiceRule[] = [
  rule(['authSecret', 'authJwksUrl', 'auth'], ({ authSecret, authJwksUrl, auth }) => {
    const authenticates = authSecret.length > 0 || authJwksUrl !== undefined;
    if (auth === 'none' && authenticates)
      return `${names.auth}=none contradicts ${names.authSecret} and ${names.authJwksUrl}: set one of them`;
    return (
      auth === undefined &&
      !authenticates &&
      `${names.authSecret} or ${names.authJwksUrl} must say who may connect; ${names.auth}=none lets everyone in`
    );
  }),
  rule(
    ['guests', 'authSecret'],
    ({ guests, authSecret }) =>
      guests &&
      authSecret.length === 0 &&
      `${names.guests}=true needs ${names.authSecret}: guests' tokens are signed with it`,
  ),
  rule(
    ['modelProvider', 'modelId'],
    ({ modelProvider, modelId }) =>
      modelProvider === 'bedrock' &&
      modelId === undefined &&
      `${names.modelProvider}=bedrock needs ${names.modelId}`,
  ),
  rule(
    ['roomMetaSeconds', 'roomLogSeconds'],
    ({ roomMetaSeconds, roomLogSeconds }) =>
      roomMetaSeconds <= roomLogSeconds &&
      `${names.roomMetaSeconds} must be above ${names.roomLogSeconds} (${roomLogSeconds}), got: ${roomMetaSeconds}; a room whose epochs expire before its messages would pass for a new one`,
  ),
  rule(['liveKitUrl', 'liveKitApiUrl', 'liveKitApiKey', 'liveKitApiSecret'], (values) => {
    const together = ['liveKitUrl', 'liveKitApiKey', 'liveKitApiSecret'] as const;
    const listed = (keys: readonly (keyof typeof names)[]) => keys.map((key) => names[key]).join(', ');
    const absent = together.filter((key) => values[key] === undefined);
    const isSome = absent.length < together.length || values.liveKitApiUrl !== undefined;
    return (
      absent.length > 0 &&
      isSome &&
      `${listed(absent)} must be set where LiveKit is: ${listed(together)} go together`
    );
  }),
  rule(
    ['liveKitPreviousApiKey', 'liveKitPreviousApiSecret'],
    ({ liveKitPreviousApiKey: key, liveKitPreviousApiSecret: secret }) =>
      (key === undefined) !== (secret === undefined) &&
      `${names.liveKitPreviousApiKey} and ${names.liveKitPreviousApiSecret} must both be set, or neither`,
  ),
];

/**
 * Reads the environment, once, at the process's entry.
 * @throws EnvironmentError that names every variable at fault with its value and the rule
 */
export function readEnvironment(variables: NodeJS.ProcessEnv) {
  const values = readVariables(serviceVariables, rules, variables);
  const { port, host, backplane, deployment, instanceId, idleTimeoutSeconds, corsOrigins } = values;
  const { logLevel, trustedProxyHops, drainSeconds, ecsMetadataUri, adminPort, emfNamespace } = values;
  return {
    ...{ port, host, backplane, deployment, idleTimeoutSeconds, corsOrigins, logLevel, trustedProxyHops },
    ...{ drainSeconds, ecsMetadataUri, adminPort, emfNamespace },
    /** Where other instances reach this one. Without a port any that is free, without a host the one that Redis sees. */
    relay: { port: values.relayPort, host: values.relayHost },
    instanceId: instanceId ?? `${hostname().slice(0, 40)}-${randomBytes(3).toString('hex')}`,
    redis: redisOf(values),
    auth: authOf(values),
    mainHub: values.mainHub,
    bridges: bridgesOf(values),
    /** Any of these opens the HTTP API; none: it is closed. */
    serviceTokens: values.serviceToken,
    roomLog: roomLogOf(values),
    model: { provider: values.modelProvider, id: values.modelId },
    liveKit: liveKitOf(values),
    /** What is set and read by nobody, for the log: sentences. */
    misspelt: misspelt(serviceVariables, variables),
  };
}

function redisOf(values: ServiceValues): RedisSources {
  const { redisConnectionString, redisUrl, redisUrlParameter, redisSecretId } = values;
  return {
    ...(redisConnectionString === undefined ? {} : { connectionString: redisConnectionString }),
    ...(redisUrl === undefined ? {} : { url: redisUrl }),
    ...(redisUrlParameter === undefined ? {} : { parameterName: redisUrlParameter }),
    ...(redisSecretId === undefined ? {} : { secretId: redisSecretId }),
  };
}

/** How other programs' Socket.IO servers and emitters are joined. */
function bridgesOf(values: ServiceValues) {
  const { pythonSocketio, emitter, bridgesRedisUrl, bridgesRedisSecretId } = values;
  const redis: RedisSources = {
    ...(bridgesRedisUrl === undefined ? redisOf(values) : { url: bridgesRedisUrl }),
    ...(bridgesRedisSecretId === undefined ? {} : { secretId: bridgesRedisSecretId }),
  };
  return {
    redis,
    python: pythonSocketio && {
      namespaces: pythonSocketio,
      channel: values.pythonSocketioChannel,
      version: values.pythonSocketioVersion,
    },
    emitter: emitter && { namespaces: emitter, prefix: values.emitterPrefix },
  };
}

/** Who may connect. */
export interface AuthSettings {
  /** Shared with whoever signs tokens: the first signs those of the service, each verifies. */
  readonly secrets: readonly string[];
  readonly jwksUrl: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** The claim that holds the subject. @default `sub` */
  readonly subjectClaim?: string | undefined;
  /** The claim that holds the name. @default `name` */
  readonly nameClaim?: string | undefined;
  /** `/api/session` gives a token to whoever asks. */
  readonly guests: boolean;
  /** Nobody is authenticated. */
  readonly none: boolean;
}

function authOf(values: ServiceValues): AuthSettings {
  return {
    secrets: values.authSecret,
    jwksUrl: values.authJwksUrl,
    issuer: values.authIssuer,
    audience: values.authAudience,
    subjectClaim: values.authSubjectClaim,
    nameClaim: values.authNameClaim,
    guests: values.guests,
    none: values.auth === 'none',
  };
}

/** How much of each room is kept, and for how long. */
function roomLogOf(values: ServiceValues): Omit<Retention, 'idWindowMs'> {
  return {
    maxLength: values.roomLogMessages,
    maxBytes: values.roomLogBytes,
    maxAgeMs: values.roomLogSeconds * 1_000,
    metaAgeMs: values.roomMetaSeconds * 1_000,
  };
}

/** Where LiveKit is, and the key that tokens are signed with. */
export interface LiveKitAccess {
  /** What browsers open, `wss://…`. */
  readonly url: string;
  /** What the service asks, `http://…`. */
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** The key before, with which nodes that are being replaced sign what they report. */
  readonly previous?: { readonly apiKey: string; readonly apiSecret: string };
}

/** Undefined: there are no calls. */
function liveKitOf(values: ServiceValues): LiveKitAccess | undefined {
  const { liveKitUrl: url, liveKitApiKey: apiKey, liveKitApiSecret: apiSecret } = values;
  if (url === undefined || apiKey === undefined || apiSecret === undefined) return undefined;
  const { liveKitPreviousApiKey: previousKey, liveKitPreviousApiSecret: previousSecret } = values;
  const hasPrevious = previousKey !== undefined && previousSecret !== undefined;
  return {
    url,
    apiUrl: values.liveKitApiUrl ?? url.replace(/^ws/i, 'http'),
    apiKey,
    apiSecret,
    ...(hasPrevious && { previous: { apiKey: previousKey, apiSecret: previousSecret } }),
  };
}
