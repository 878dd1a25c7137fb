import { environmentNames } from '../../../app/names.ts';
import { RedisSettingError } from '../../../app/server/redis/setting/setting.ts';
import { settingIn } from '../../../app/server/redis/setting/source.ts';
import { CannotDiagnoseError } from '../finding.ts';
import type { Broadcast, NamedRedis } from './subject.ts';
import type { Question } from './survey.ts';

/** The options that belong to `--url`, as they were typed. */
export interface UrlOptions {
  readonly url: string;
  readonly plain?: string | undefined;
  readonly path?: string | undefined;
  readonly namespace?: string | undefined;
  readonly origin?: string | undefined;
  readonly instance?: string | undefined;
  readonly token?: string | undefined;
  readonly broadcast?: string | undefined;
  readonly idle?: string | undefined;
}

/** Most servers send a heartbeat within 15 or 25 s, and most proxies cut after 60 s. */
const defaultIdleSeconds = 65;
const mostIdleSeconds = 600;

/**
 * @param environment names the Redis of the server, by the variables that the server itself reads
 * @throws CannotDiagnoseError with everything that is not valid
 */
export function readQuestion(
  options: UrlOptions,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Question {
  const faults: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CannotDiagnoseError)) throw error;
      faults.push(error.message);
      return undefined;
    }
  };
  const address = attempt(() => readAddress(options.url));
  const plain = attempt(() => readPlain(options.plain));
  const path = attempt(() => readPath(options.path)) ?? address?.path;
  const namespace = attempt(() => readPath(options.namespace, '--namespace'));
  const instance = attempt(() => readInstance(options.instance));
  const pageOrigin = attempt(() => readOrigin(options.origin));
  const broadcast = attempt(() => readBroadcast(options.broadcast));
  const idleSeconds = attempt(() => readIdle(options.idle)) ?? defaultIdleSeconds;
  const redis = attempt(() => readRedis(environment));
  if (faults.length > 0 || !address) throw new CannotDiagnoseError(faults.join('\n'));
  return {
    url: address.origin,
    longestSilenceMs: idleSeconds * 1_000,
    signal,
    ...(plain && { plain }),
    ...(path === undefined ? {} : { path }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(instance === undefined ? {} : { instanceUrl: instance }),
    ...(pageOrigin === undefined ? {} : { pageOrigin }),
    ...(options.token ? { token: options.token } : {}),
    ...(broadcast && { broadcast }),
    ...(redis && { redis }),
  };
}

function readAddress(text: string, option = '--url'): { readonly origin: string; readonly path?: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new CannotDiagnoseError(`${option} must be http://… or https://…, got: ${text.slice(0, 60)}`);
  if (url.username !== '' || url.password !== '')
    throw new CannotDiagnoseError(`${option} must be without a user and a password; give ${url.origin}`);
  // What clients are given may end with the path of a hub.
  return url.pathname === '/' ? { origin: url.origin } : { origin: url.origin, path: url.pathname };
}

function readInstance(text: string | undefined): string | undefined {
  return text === undefined ? undefined : readAddress(text, '--instance').origin;
}

function readPlain(text: string | undefined): Question['plain'] {
  if (text === undefined || text === 'socketio' || text === 'signalr') return text;
  throw new CannotDiagnoseError(`--plain must be socketio or signalr, got: ${text.slice(0, 40)}`);
}

function readPath(text: string | undefined, option = '--path'): string | undefined {
  if (text === undefined || /^\/[\w./~%-]*$/.test(text)) return text;
  throw new CannotDiagnoseError(`${option} must begin with / and have no query, got: ${text.slice(0, 60)}`);
}

function readOrigin(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url.origin;
  throw new CannotDiagnoseError(
    `--origin must be the origin of a page, such as https://app.example.com, got: ${text.slice(0, 60)}`,
  );
}

/** `SendMessage`, or `SendMessage=["doctor","hello"]`. */
function readBroadcast(text: string | undefined): Broadcast | undefined {
  if (text === undefined) return undefined;
  const [, event = '', json = '[]'] = /^([^=]+)(?:=(.*))?$/s.exec(text) ?? [];
  const values = parsed(json);
  if (event !== '' && Array.isArray(values)) return { event, values };
  throw new CannotDiagnoseError(
    `--broadcast must be an event, and may have its values as a JSON array: SendMessage='["doctor","hello"]', got: ${text.slice(0, 60)}`,
  );
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function readIdle(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= mostIdleSeconds) return seconds;
  throw new CannotDiagnoseError(
    `--idle must be whole seconds from 1 to ${mostIdleSeconds}, got: ${text.slice(0, 20)}`,
  );
}

/** A command line is visible to everyone on the machine, so that a password may come by the environment alone. */
function readRedis(environment: NodeJS.ProcessEnv): NamedRedis | undefined {
  const source = [environmentNames.redisConnectionString, environmentNames.redisUrl].find(
    (name) => environment[name] !== undefined,
  );
  if (source === undefined) return undefined;
  try {
    const found = settingIn(environment[source] ?? '', source);
    return found.kind === 'redis' ? { setting: found.setting, source } : undefined;
  } catch (error) {
    if (error instanceof RedisSettingError) throw new CannotDiagnoseError(error.message);
    throw error;
  }
}
