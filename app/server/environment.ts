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
});

/**
 * Reads the environment, once, at the process's entry.
 * @throws EnvironmentError that names every variable at fault with its value and the rule
 */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment {
  const parsed = schema.safeParse(variables);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const variable = String(issue.path[0]);
      return `  ${variable} ${issue.message}, got: ${variables[variable]}`;
    });
    throw new EnvironmentError(`The environment can't be used:\n${faults.join('\n')}`);
  }
  const value = parsed.data;
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
  };
}
