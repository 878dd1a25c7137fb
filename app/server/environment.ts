import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { defaultPort, environmentNames as names } from '../names.ts';
import type { RedisSources } from './redis/source.ts';

/** All that the service takes from its environment. */
export interface Environment {
  readonly port: number;
  readonly host: string;
  readonly redis: RedisSources;
  /**
   * What to do while Redis can't be reached. `required`: not ready until it was joined once, and publishes are
   * refused without it. `preferred`: serves alone meanwhile, and says so.
   */
  readonly backplane: 'required' | 'preferred';
  readonly deployment: string;
  readonly instanceId: string;
  readonly idleTimeoutSeconds: number;
  readonly corsOrigins: readonly string[];
  readonly logLevel: string;
  readonly auth: AuthSettings;
  /** Any of these opens the HTTP API; none: it is closed. */
  readonly serviceTokens: readonly string[];
  readonly trustedProxyHops: number;
  readonly drainSeconds: number;
  /** Where ECS tells of the task that this is; undefined elsewhere. */
  readonly ecsMetadataUri: string | undefined;
  readonly adminPort: number | undefined;
  readonly emfNamespace: string | undefined;
  readonly model: { readonly provider: 'offline' | 'bedrock'; readonly id: string | undefined };
  /** Undefined: there are no calls. */
  readonly livekit: LivekitAccess | undefined;
}

/** Where LiveKit is, and the key that tokens are signed with. */
export interface LivekitAccess {
  /** What browsers open, `wss://…`. */
  readonly url: string;
  /** What the service asks, `http://…`. */
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** Who may connect. */
export interface AuthSettings {
  /** HS256 keys: the first signs, each verifies. */
  readonly secrets: readonly string[];
  readonly jwksUrl: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** `/api/session` gives a token to whoever asks. */
  readonly guests: boolean;
  /** Nobody is authenticated. */
  readonly none: boolean;
}

/** One or more variables hold what can't be used; the message lists all of them. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number of ${least}–${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be a whole number of ${least}–${most}`);

const name = (most: number) =>
  z.string().regex(new RegExp(`^[A-Za-z0-9_.-]{1,${most}}$`), `must be 1–${most} of A–Z a–z 0–9 _ . -`);

const flag = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');

/** 256 bits in hexadecimal are 64 characters, in base64 44; what is shorter than 32 can be guessed. */
const secret = z.string().min(32, 'must have 32 characters or more');

const secrets = z
  .string()
  .default('')
  .transform((value) => value.split(',').filter((secret) => secret !== ''))
  .refine((all) => all.every(({ length }) => length >= 32), 'must have 32 characters or more')
  .refine((all) => all.length <= 2, 'must be one, or two while one replaces the other');

const schema = z.object({
  [names.port]: wholeNumber(1, 65_535).default(defaultPort),
  [names.host]: z.string().min(1, 'must be an address to listen on').default('0.0.0.0'),
  [names.redisConnectionString]: z.string().optional(),
  [names.redisUrl]: z.string().optional(),
  [names.redisUrlParameter]: z.string().optional(),
  [names.redisSecretId]: z.string().optional(),
  [names.backplane]: z.enum(['required', 'preferred'], 'must be required or preferred').default('required'),
  [names.deployment]: name(32).default('realtime'),
  [names.instanceId]: name(64).optional(),
  [names.idleTimeoutSeconds]: wholeNumber(1, 4_000).default(60),
  [names.corsOrigins]: z.string().default(''),
  [names.logLevel]: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  [names.auth]: z.enum(['none'], 'must be none, or absent').optional(),
  [names.authSecret]: secrets,
  [names.authJwksUrl]: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  [names.authIssuer]: z.string().min(1, 'must not be empty').optional(),
  [names.authAudience]: z.string().min(1, 'must not be empty').optional(),
  [names.guests]: flag.default(false),
  [names.serviceToken]: secrets,
  [names.trustedProxyHops]: wholeNumber(0, 10).default(0),
  [names.drainSeconds]: wholeNumber(0, 600).default(10),
  [names.ecsMetadataUri]: z.url('must be a URL').optional(),
  [names.adminPort]: wholeNumber(1, 65_535).optional(),
  [names.emfNamespace]: z
    .string()
    .min(1, 'must not be empty')
    .max(255, 'must be at most 255 long')
    .optional(),
  [names.modelProvider]: z.enum(['offline', 'bedrock'], 'must be offline or bedrock').default('offline'),
  [names.modelId]: z.string().min(1, 'must not be empty').optional(),
  [names.livekitUrl]: z.url({ protocol: /^wss?$/, error: 'must be a ws(s) URL' }).optional(),
  [names.livekitApiUrl]: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  [names.livekitApiKey]: name(64).optional(),
  [names.livekitApiSecret]: secret.optional(),
});

const secretNames: readonly string[] = [names.authSecret, names.serviceToken, names.livekitApiSecret];

/**
 * Reads the environment, once, at the process's entry.
 * @throws EnvironmentError that names every variable at fault with its value and the rule
 */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment {
  const parsed = schema.safeParse(variables);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const variable = String(issue.path[0]);
      return `  ${variable} ${issue.message}, got: ${shown(variable, variables[variable])}`;
    });
    throw unusable(faults);
  }
  const value = parsed.data;
  const conflicts = conflictsIn(value);
  if (conflicts.length > 0) throw unusable(conflicts);
  const { [names.redisConnectionString]: connectionString, [names.redisUrl]: url } = value;
  const { [names.redisUrlParameter]: parameterName, [names.redisSecretId]: secretId } = value;
  return {
    port: value[names.port],
    host: value[names.host],
    redis: {
      ...(connectionString === undefined ? {} : { connectionString }),
      ...(url === undefined ? {} : { url }),
      ...(parameterName === undefined ? {} : { parameterName }),
      ...(secretId === undefined ? {} : { secretId }),
    },
    backplane: value[names.backplane],
    deployment: value[names.deployment],
    instanceId: value[names.instanceId] ?? `${hostname().slice(0, 40)}-${randomBytes(3).toString('hex')}`,
    idleTimeoutSeconds: value[names.idleTimeoutSeconds],
    corsOrigins: value[names.corsOrigins].split(',').filter((origin) => origin !== ''),
    logLevel: value[names.logLevel],
    auth: {
      secrets: value[names.authSecret],
      jwksUrl: value[names.authJwksUrl],
      issuer: value[names.authIssuer],
      audience: value[names.authAudience],
      guests: value[names.guests],
      none: value[names.auth] === 'none',
    },
    serviceTokens: value[names.serviceToken],
    trustedProxyHops: value[names.trustedProxyHops],
    drainSeconds: value[names.drainSeconds],
    ecsMetadataUri: value[names.ecsMetadataUri],
    adminPort: value[names.adminPort],
    emfNamespace: value[names.emfNamespace],
    model: { provider: value[names.modelProvider], id: value[names.modelId] },
    livekit: livekitOf(value),
  };
}

function livekitOf(value: z.infer<typeof schema>): LivekitAccess | undefined {
  const {
    [names.livekitUrl]: url,
    [names.livekitApiKey]: apiKey,
    [names.livekitApiSecret]: apiSecret,
  } = value;
  if (url === undefined || apiKey === undefined || apiSecret === undefined) return undefined;
  return { url, apiUrl: value[names.livekitApiUrl] ?? url.replace(/^ws/i, 'http'), apiKey, apiSecret };
}

/** What each variable allows by itself and the others don't. */
function conflictsIn(value: z.infer<typeof schema>): string[] {
  const authenticates = value[names.authSecret].length > 0 || value[names.authJwksUrl] !== undefined;
  const isOpen = value[names.auth] === 'none';
  const faults: string[] = [];
  if (!authenticates && !isOpen) {
    faults.push(
      `${names.authSecret} or ${names.authJwksUrl} must say who may connect; ${names.auth}=none lets everyone in`,
    );
  }
  if (authenticates && isOpen) {
    faults.push(
      `${names.auth}=none contradicts ${names.authSecret} and ${names.authJwksUrl}: set one of them`,
    );
  }
  if (value[names.guests] && value[names.authSecret].length === 0) {
    faults.push(`${names.guests}=true needs ${names.authSecret}: guests' tokens are signed with it`);
  }
  if (value[names.modelProvider] === 'bedrock' && value[names.modelId] === undefined) {
    faults.push(`${names.modelProvider}=bedrock needs ${names.modelId}`);
  }
  const calls = [names.livekitUrl, names.livekitApiKey, names.livekitApiSecret] as const;
  const absent = calls.filter((each) => value[each] === undefined);
  if (absent.length > 0 && (absent.length < 3 || value[names.livekitApiUrl] !== undefined)) {
    faults.push(`${absent.join(', ')} must be set where LiveKit is: ${calls.join(', ')} go together`);
  }
  return faults.map((fault) => `  ${fault}`);
}

function unusable(faults: readonly string[]): EnvironmentError {
  return new EnvironmentError(`The environment can't be used:\n${faults.join('\n')}`);
}

/** A secret is not told, its length is. */
function shown(variable: string, value: string | undefined): string {
  return secretNames.includes(variable) ? `${value?.length ?? 0} characters` : String(value);
}
