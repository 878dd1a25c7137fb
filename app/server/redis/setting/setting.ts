import { z } from 'zod';

/** Where Redis is and how to log in, whatever shape the setting had. */
export interface RedisSetting {
  /** In the order given: several of one deployment, of which one is the primary, or those of a cluster. */
  readonly endpoints: readonly [RedisEndpoint, ...RedisEndpoint[]];
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
  /** Logical database. Pub/Sub ignores it, so it does not separate deployments. */
  readonly database: number;
}

export interface RedisEndpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * A setting that can't be read. The message names the source and the fault, and repeats nothing of the setting behind the
 * place where a password may stand: a password that holds the shape's own characters goes on where nobody expects it.
 */
export class RedisSettingError extends Error {
  override readonly name = 'RedisSettingError';
}

const shapes =
  '`redis[s]://[user[:password]@]host:port[,host:port][/db]` or `host:port,user=…,password=…,ssl=true`';

/**
 * Reads a Redis setting of either shape.
 *
 * @param text `redis[s]://[user[:password]@]host[:port][,host:port][/db]`, or StackExchange.Redis's
 *   `host[:port][,host:port][,user=…][,password=…][,ssl=true][,defaultDatabase=…]`
 * @param source named in errors, for example `REDIS_URL`
 * @throws RedisSettingError naming every fault
 */
export function parseRedisSetting(text: string, source: string): RedisSetting {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? parseUrl(text, source) : parseConnectionString(text, source);
}

function parseUrl(text: string, source: string): RedisSetting {
  const scheme = text.slice(0, text.indexOf('://')).toLowerCase();
  if (scheme !== 'redis' && scheme !== 'rediss') {
    throw fault(source, [`the scheme must be redis or rediss, got: ${scheme}`]);
  }
  // These end the authority, so that the rest of a password would pass as a path, and its beginning as host and port.
  if (/[#?]/.test(text)) {
    throw fault(source, [
      'a `#` or `?` ends the address in a URL: in a user or password write %23 or %3F; a query or fragment has no meaning here',
    ]);
  }
  const { first, others } = splitHosts(text);
  const url = URL.canParse(first) ? new URL(first) : undefined;
  if (!url?.hostname) {
    throw fault(source, [
      `not a URL: write it as ${shapes}, with special characters of the password percent-encoded`,
    ]);
  }
  const faults: string[] = [];
  const setting: RedisSetting = {
    endpoints: [
      { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port ? Number(url.port) : 6379 },
      ...others.map((host, index) => endpointOf(host, index + 2, 6379, faults)),
    ],
    ...optional('username', decode(url.username, 'user', faults)),
    ...optional('password', decode(url.password, 'password', faults)),
    tls: scheme === 'rediss',
    database: databaseOf(url.pathname.slice(1), faults),
  };
  if (setting.endpoints[0].port === 0) faults.push('the port must be 1–65535, got: 0');
  if (faults.length > 0) throw fault(source, faults);
  return setting;
}

/** A URL has one host; the others of a cluster stand behind it, with commas between. */
function splitHosts(text: string): { readonly first: string; readonly others: readonly string[] } {
  const [, scheme = '', login = '', hosts = '', rest = ''] =
    /^([a-z]+:\/\/)((?:[^/]*@)?)([^/]*)(.*)$/is.exec(text) ?? [];
  const [host, ...others] = hosts.split(',');
  return { first: `${scheme}${login}${host}${rest}`, others };
}

function decode(part: string, what: string, faults: string[]): string {
  try {
    return decodeURIComponent(part);
  } catch {
    faults.push(`the ${what} has a stray %: percent-encode it as %25`);
    return '';
  }
}

/** Options of StackExchange.Redis that tune its own client and mean nothing to ours. */
const ignoredOptions = new Set([
  'abortconnect',
  'allowadmin',
  'asynctimeout',
  'channelprefix',
  'checkcertificaterevocation',
  'configcheckseconds',
  'configchannel',
  'connectretry',
  'connecttimeout',
  'highintegrity',
  'keepalive',
  'name',
  'preserveasyncorder',
  'protocol',
  'proxy',
  'resolvedns',
  'responsetimeout',
  'setclientlibrary',
  'sslhost',
  'sslprotocols',
  'synctimeout',
  'tiebreaker',
  'tunnel',
  'version',
  'writebuffer',
]);

const yesOrNo = z.stringbool({ truthy: ['true', 'yes', '1'], falsy: ['false', 'no', '0'] });

function parseConnectionString(text: string, source: string): RedisSetting {
  const faults: string[] = [];
  const hosts: string[] = [];
  const options = new Map<string, string>();
  const unknown: string[] = [];
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    // Both may be the rest of a password.
    if (equals < 0 && options.has('password')) unknown.push(behindPassword('an endpoint'));
    else if (equals < 0) hosts.push(part);
    else {
      const name = part.slice(0, equals).trim().toLowerCase();
      if (!isOption(name)) unknown.push(unknownOption(name, options.has('password')));
      options.set(name, part.slice(equals + 1).trim());
    }
  }
  const tls = booleanOf('ssl', options.get('ssl'), faults);
  // StackExchange.Redis listens for TLS on 6380 by default.
  const endpoints = hosts.map((host, index) => endpointOf(host, index + 1, tls ? 6380 : 6379, faults));
  const username = options.get('user') ?? '';
  const password = options.get('password') ?? '';
  const database = databaseOf(options.get('defaultdatabase') ?? '', faults);
  faults.push(...unknown);
  const [first, ...rest] = endpoints;
  if (!first) throw fault(source, [`no host in it: write it as ${shapes}`, ...faults]);
  if (faults.length > 0) throw fault(source, faults);
  return {
    endpoints: [first, ...rest],
    ...optional('username', username),
    ...optional('password', password),
    tls,
    database,
  };
}

const isOption = (name: string) =>
  ['ssl', 'user', 'password', 'defaultdatabase'].includes(name) || ignoredOptions.has(name);

/** A comma in a password splits it, and its rest passes as something else, which is not repeated. */
function unknownOption(name: string, isBehindPassword: boolean): string {
  return isBehindPassword
    ? behindPassword('an option that is none of user, password, ssl, defaultDatabase')
    : `unknown option \`${name}\`: known are user, password, ssl, defaultDatabase`;
}

function behindPassword(what: string): string {
  return `${what} stands behind the password (which can not hold a comma in this shape: use the URL)`;
}

/** The text is not repeated in the error: a password that was split at a comma lands here. */
function endpointOf(text: string, ordinal: number, defaultPort: number, faults: string[]): RedisEndpoint {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d+))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] ? Number(match[3]) : defaultPort;
  if (!host || port < 1 || port > 65_535) {
    faults.push(`an endpoint must be host:port with a port of 1–65535 (endpoint ${ordinal} is not)`);
    return { host: '', port: defaultPort };
  }
  return { host, port };
}

function booleanOf(name: string, text: string | undefined, faults: string[]): boolean {
  if (text === undefined) return false;
  const parsed = yesOrNo.safeParse(text);
  if (!parsed.success) faults.push(`\`${name}\` must be true or false`);
  return parsed.data ?? false;
}

function databaseOf(text: string, faults: string[]): number {
  if (text === '') return 0;
  if (/^\d{1,5}$/.test(text)) return Number(text);
  faults.push('the database must be a whole number (a `/` in a password must be written as %2F)');
  return 0;
}

function optional<K extends string>(key: K, value: string): { [P in K]?: string } {
  return (value === '' ? {} : { [key]: value }) as { [P in K]?: string };
}

function fault(source: string, faults: readonly string[]): RedisSettingError {
  return new RedisSettingError(`${source} is not a usable Redis setting: ${faults.join('; ')}`);
}
