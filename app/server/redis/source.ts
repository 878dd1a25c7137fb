import { environmentNames } from '../../names.ts';
import { parseRedisSetting, type RedisSetting, RedisSettingError } from './setting.ts';

/** The parts of the environment that can name the Redis setting, in the order of their precedence. */
export interface RedisSources {
  readonly connectionString?: string;
  readonly url?: string;
  /** Name of an SSM String parameter. */
  readonly parameterName?: string;
}

export type ResolvedSetting =
  | { readonly kind: 'redis'; readonly source: string; readonly setting: RedisSetting }
  | { readonly kind: 'none'; readonly source: string };

/** Reads one SSM parameter's value; takes the place of the SDK in tests. */
export type ReadParameter = (name: string) => Promise<string>;

/**
 * Finds the Redis setting: `ConnectionStrings__Redis`, then `REDIS_URL`, then the SSM parameter named by
 * `REDIS_URL_PARAMETER`. The first that is set ends the search; one that is empty or says `none` means
 * single-instance mode. Called again at every reconnect, so that a moved endpoint needs no deployment.
 *
 * @throws RedisSettingError when the value can't be read, naming the source
 */
export async function resolveRedisSetting(
  sources: RedisSources,
  readParameter: ReadParameter = readSsmParameter,
): Promise<ResolvedSetting> {
  if (sources.connectionString !== undefined) {
    return parsed(sources.connectionString, environmentNames.redisConnectionString);
  }
  if (sources.url !== undefined) return parsed(sources.url, environmentNames.redisUrl);
  if (sources.parameterName) {
    const source = `the SSM parameter ${sources.parameterName}`;
    return parsed(await readOrExplain(sources.parameterName, readParameter), source);
  }
  return { kind: 'none', source: 'no Redis setting' };
}

function parsed(text: string, source: string): ResolvedSetting {
  const value = text.trim();
  if (value === '' || value.toLowerCase() === 'none') {
    return { kind: 'none', source: `${source} is ${value === '' ? 'empty' : '`none`'}` };
  }
  return { kind: 'redis', source, setting: parseRedisSetting(value, source) };
}

async function readOrExplain(name: string, readParameter: ReadParameter): Promise<string> {
  try {
    return await readParameter(name);
  } catch (error) {
    const { name: code, message } = error as Error;
    throw new RedisSettingError(
      `the SSM parameter ${name} can't be read (${code}: ${message}). ${fixFor(code)}`,
    );
  }
}

function fixFor(code: string): string {
  if (code === 'ParameterNotFound') return 'Check its name and the region (AWS_REGION).';
  if (code === 'AccessDeniedException') return 'Allow ssm:GetParameter on it to the task role.';
  if (code === 'CredentialsProviderError') return 'Give the process AWS credentials, or set REDIS_URL.';
  return 'Check its name, the region and the network path to SSM.';
}

/** The SDK takes 0.2 s to load: only those who use it pay. */
async function readSsmParameter(name: string): Promise<string> {
  const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm');
  const client = new SSMClient({ maxAttempts: 3 });
  try {
    const answer = await client.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
    return answer.Parameter?.Value ?? '';
  } finally {
    client.destroy();
  }
}
