import { z } from 'zod';
import { environmentNames } from '../../../names.ts';
import type { AwsReader } from './aws.ts';
import { parseRedisSetting, type RedisSetting, RedisSettingError } from './setting.ts';

/** The parts of the environment that can name the Redis setting, in the order of their precedence. */
export interface RedisSources {
  readonly connectionString?: string;
  readonly url?: string;
  /** Name of an SSM String parameter. */
  readonly parameterName?: string;
  /** A secret of Secrets Manager whose user and password take the place of the setting's own. */
  readonly secretId?: string;
}

/** The SDK takes 0.2 s to load: only those who use it pay, when they do. */
const lazyAws: AwsReader = {
  parameter: async (name) => (await import('./aws.ts')).awsReader.parameter(name),
  secret: async (id) => (await import('./aws.ts')).awsReader.secret(id),
};

export type ResolvedSetting =
  | { readonly kind: 'redis'; readonly source: string; readonly setting: RedisSetting }
  | { readonly kind: 'none'; readonly source: string };

/**
 * Finds the Redis setting: `ConnectionStrings__Redis`, then `REDIS_URL`, then the SSM parameter named by
 * `REDIS_URL_PARAMETER`. The first that is set ends the search; one that is empty or says `none` means
 * single-instance mode. The user and password may come from a secret.
 *
 * Called again at every reconnect, so that a moved endpoint or a rotated password needs no deployment.
 *
 * @param aws takes the place of the SDK in tests
 * @throws RedisSettingError when something can't be read, naming the source and never a password
 */
export async function resolveRedisSetting(
  sources: RedisSources,
  aws: AwsReader = lazyAws,
): Promise<ResolvedSetting> {
  const found = await findSetting(sources, aws);
  const { secretId } = sources;
  if (found.kind === 'none' || !secretId) return found;
  const secret = await readOrExplain(`the secret ${secretId}`, 'secretsmanager:GetSecretValue', () =>
    aws.secret(secretId),
  );
  return { ...found, setting: withCredentials(found.setting, secret, secretId) };
}

async function findSetting(sources: RedisSources, aws: AwsReader): Promise<ResolvedSetting> {
  const { connectionString, url, parameterName } = sources;
  if (connectionString !== undefined)
    return settingIn(connectionString, environmentNames.redisConnectionString);
  if (url !== undefined) return settingIn(url, environmentNames.redisUrl);
  if (!parameterName) return { kind: 'none', source: 'no Redis setting' };
  const source = `the SSM parameter ${parameterName}`;
  return settingIn(
    await readOrExplain(source, 'ssm:GetParameter', () => aws.parameter(parameterName)),
    source,
  );
}

/** @throws RedisSettingError that names the source */
export function settingIn(text: string, source: string): ResolvedSetting {
  const value = text.trim();
  if (value === '' || value.toLowerCase() === 'none') {
    return { kind: 'none', source: `${source} is ${value === '' ? 'empty' : '`none`'}` };
  }
  return { kind: 'redis', source, setting: parseRedisSetting(value, source) };
}

async function readOrExplain(what: string, action: string, read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (error) {
    const { name, message } = error as Error;
    throw new RedisSettingError(`${what} can't be read (${name}: ${message}). ${fixFor(name, action)}`);
  }
}

function fixFor(fault: string, action: string): string {
  if (/NotFound/.test(fault)) return 'Check its name and the region (AWS_REGION).';
  if (fault === 'AccessDeniedException') return `Allow ${action} on it to the task role.`;
  if (fault === 'CredentialsProviderError') return 'Give the process AWS credentials, or set REDIS_URL.';
  return 'Check its name, the region and the network path to AWS.';
}

const namedUser = z.object({ username: z.string().min(1).optional(), password: z.string().min(1) });

/**
 * Puts a secret's user and password in place of the setting's own.
 *
 * @param text JSON `{"username": …, "password": …}` with the user optional, or a password as it is
 * @throws RedisSettingError that names the secret and never its value
 */
function withCredentials(setting: RedisSetting, text: string, secretId: string): RedisSetting {
  return { ...setting, ...credentialsIn(text, secretId) };
}

function credentialsIn(text: string, secretId: string): { username?: string; password: string } {
  if (text.trim() === '') throw new RedisSettingError(`the secret ${secretId} is empty`);
  if (!text.trimStart().startsWith('{')) return { password: text.trim() };
  const parsed = namedUser.safeParse(jsonOrUndefined(text));
  if (!parsed.success) {
    throw new RedisSettingError(
      `the secret ${secretId} must be a password, or JSON with \`password\` and perhaps \`username\``,
    );
  }
  const { username, password } = parsed.data;
  return { ...(username === undefined ? {} : { username }), password };
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
