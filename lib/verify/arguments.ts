import { parseArgs } from 'node:util';
import { environmentNames } from '../../app/names.ts';
import { suggestion } from '../suggest.mjs';
import type { Load } from './check.ts';
import type { Key } from './clients/tokens.ts';
import { UsageError } from './errors.ts';
import { checkNames, stackCheckNames } from './registry.ts';

/** What the command line asks for. */
export interface Arguments {
  /** @default the local topology */
  readonly url?: string;
  /** Name of a stack on AWS that is checked, too. */
  readonly stack?: string;
  /** @default as many as the local topology has, else as many as answer */
  readonly instances?: number;
  readonly load: Load;
  /** Longest wait for any one thing, in milliseconds. @default 30000 */
  readonly timeoutMs: number;
  /** Names of the checks to run. @default all */
  readonly only: readonly string[];
  /** A JWT for all clients. @default a guest's token of the service, or none if the service needs none */
  readonly token?: string;
  /** The key with which tokens are signed. @default none is signed here */
  readonly key?: Key;
  /** The token of the HTTP API. @default the local topology's */
  readonly serviceToken?: string;
  /** Also run the parts of checks that take minutes. */
  readonly long: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** Secrets from the environment, because a command line is visible in the list of processes. */
export interface Secrets {
  readonly serviceToken?: string | undefined;
  readonly authSecret?: string | undefined;
  readonly authIssuer?: string | undefined;
  readonly authAudience?: string | undefined;
  readonly authSubjectClaim?: string | undefined;
}

/** All secrets that must not be printed, even if the command line is not valid. */
export function secretsIn(words: readonly string[], { serviceToken, authSecret }: Secrets = {}): string[] {
  const given = words.flatMap((word, index) => {
    const [option, equals] = /^--(?:service-)?token(=|$)/.exec(word) ?? [];
    if (option === undefined) return [];
    return equals === '=' ? word.slice(option.length) : (words[index + 1] ?? '');
  });
  return [...given, ...[serviceToken, authSecret].flatMap((secret) => secret?.split(',') ?? [])];
}

const defaults = { clients: 5, messages: 20, timeoutSeconds: 30 };
const limits = { instances: 100, clients: 100, messages: 1_000, timeoutSeconds: 600 };

const namesInLines = Array.from({ length: Math.ceil(checkNames.length / 4) }, (_, row) =>
  checkNames.slice(row * 4, row * 4 + 4).join(', '),
).join(',\n                     ');

export const help = `Proves, with counts, that a running topology behaves as one.

Usage: npm run verify -- [options]

  --url URL          what to verify, for example https://realtime.example.com
                     default: the topology that \`npm start\` runs on this machine
  --stack NAME       a stack on AWS, whose cache, tasks and LiveKit nodes are looked at, too; its output
                     Url is the URL unless one is given. Region and credentials are the environment's;
                     ReadOnlyAccess is enough
  --instances N      how many instances must answer
                     default: as many as the local topology has, else as many as are found
  --clients M        clients on each instance, 1-${limits.clients} (default ${defaults.clients})
  --messages K       messages that each client publishes, 1-${limits.messages} (default ${defaults.messages})
  --timeout SECONDS  longest wait for any one thing, 1-${limits.timeoutSeconds} (default ${defaults.timeoutSeconds})
  --token T          a JWT that every client shows; default: a guest's from the service, or none where
                     it asks for none. With AUTH_SECRET in the environment, the service's own, tokens
                     of five minutes are signed here instead, one a user
  --service-token T  what backends show to the HTTP API; better in the environment: SERVICE_TOKEN
                     default: the local topology's
  --long             hold idle connections through two heartbeats, which takes about a minute
  --only NAMES       comma-separated: ${namesInLines}
  --json             one JSON object on the standard output and nothing else, whatever happens; progress
                     goes to the error output. npm adds lines of its own: \`npm run --silent verify -- --json\`
  --help             this text

Only a topology on this machine has instances added and killed; it is left as it was found.

Exit code:
  0    each check that could be run holds. What could not be proved is named, with the reason, and counts
       for nothing
  1    a check fails, or nothing at all could be proved
  2    nothing was verified: the command line, the URL, the token or the stack is no good, nothing answers at
       the URL, or something that is not this service, at which the doctor then looks; what to do is said
  130  Ctrl-C
`;

/** @throws UsageError */
export function readArguments(words: readonly string[], secrets: Secrets = {}): Arguments {
  const { values } = parse(words);
  const key = readKey(secrets);
  const token = values.token === undefined ? undefined : readToken('--token', values.token);
  const serviceToken = readServiceToken(values['service-token'], secrets);
  return {
    ...(values.url === undefined ? {} : { url: readUrl(values.url) }),
    ...(values.stack === undefined ? {} : { stack: readStackName(values.stack) }),
    ...(values.instances === undefined
      ? {}
      : { instances: wholeNumber('--instances', values.instances, limits.instances) }),
    load: {
      clients: wholeNumber('--clients', values.clients, limits.clients, defaults.clients),
      messages: wholeNumber('--messages', values.messages, limits.messages, defaults.messages),
    },
    timeoutMs:
      wholeNumber('--timeout', values.timeout, limits.timeoutSeconds, defaults.timeoutSeconds) * 1_000,
    only: readOnly(values.only, values.stack !== undefined),
    ...(token === undefined ? {} : { token }),
    ...(key && { key }),
    ...(serviceToken === undefined ? {} : { serviceToken }),
    long: values.long ?? false,
    json: values.json ?? false,
    help: values.help ?? false,
  };
}

const options = {
  url: { type: 'string' },
  stack: { type: 'string' },
  instances: { type: 'string' },
  clients: { type: 'string' },
  messages: { type: 'string' },
  timeout: { type: 'string' },
  only: { type: 'string' },
  token: { type: 'string' },
  'service-token': { type: 'string' },
  long: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
const optionNames = Object.keys(options).map((name) => `--${name}`);

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], allowPositionals: false, options });
  } catch (error) {
    throw new UsageError(`${faultOf(words, error as Error)} \`npm run verify -- --help\` lists the options.`);
  }
}

/** Node's own message repeats the argument, which may be a secret after a typing error. */
function faultOf(words: readonly string[], { message }: Error): string {
  const [, unknown] = /^Unknown option '(-[^']*)'/.exec(message) ?? [];
  if (unknown !== undefined) {
    const name = shown(unknown.split(/[=:]/)[0] ?? '');
    return `Unknown option ${name}.${suggestion(unknown, optionNames)}`;
  }
  const [, stray] = /^Unexpected argument '(.*)'\. /.exec(message) ?? [];
  if (stray !== undefined) {
    const url = URL.canParse(stray) && /^https?:$/.test(new URL(stray).protocol);
    const hint = url ? ' Did you mean --url?' : suggestion(`--${stray}`, optionNames);
    return `Unexpected argument ${shown(stray)} (number ${words.indexOf(stray) + 1}): values follow their option.${hint}`;
  }
  return `${message.split('. ')[0]}.`;
}

const longestShown = 40;

/** The value, unless it may contain a password or a token. */
function shown(text: string): string {
  if (text === '') return '(nothing)';
  if (text.length <= longestShown && /^[\w.,:/[\] +-]+$/.test(text) && !looksSecret(text)) return text;
  return `${text.length} characters, which are not shown`;
}

/** A mix of letters and digits that is neither a word nor a number nor an address. */
function looksSecret(text: string): boolean {
  const isJumble = (part: string) => part.length >= 16 && /\d/.test(part) && /[a-z]/i.test(part);
  return text.startsWith('eyJ') || text.split(/[.,:/[\] -]+/).some(isJumble);
}

function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`--url must be http://… or https://…, got: ${shown(text)}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(`--url must be without a user and a password; give ${url.origin}`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new UsageError(
      `--url must be without a path, for clients connect to /socket.io/ at the root of the host; got: ${shown(text)}; give ${url.origin}`,
    );
  }
  return url.origin;
}

function readStackName(text: string): string {
  if (/^[A-Za-z][A-Za-z0-9-]{0,127}$/.test(text)) return text;
  throw new UsageError(`--stack must be the name of a stack such as realtime-prod, got: ${shown(text)}`);
}

function wholeNumber(option: string, text: string | undefined, most: number, otherwise = 0): number {
  if (text === undefined) return otherwise;
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new UsageError(`${option} must be a whole number from 1 to ${most}, got: ${shown(text)}`);
}

/** The message does not repeat the token, because it is a secret. */
function readToken(option: string, text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new UsageError(
    `${option} must be a token without spaces, got ${text.length} characters that are none`,
  );
}

/** The first one of two. The service accepts two while one replaces the other. */
function readServiceToken(given: string | undefined, { serviceToken = '' }: Secrets): string | undefined {
  if (given !== undefined) return readToken('--service-token', given);
  const [first = ''] = serviceToken.split(',');
  return first === '' ? undefined : readToken(environmentNames.serviceToken, first);
}

function readKey({ authSecret = '', ...rules }: Secrets): Key | undefined {
  const { authIssuer, authAudience, authSubjectClaim } = rules;
  const [secret = ''] = authSecret.split(',');
  if (secret === '') return undefined;
  return {
    secret,
    ...(authIssuer ? { issuer: authIssuer } : {}),
    ...(authAudience ? { audience: authAudience } : {}),
    ...(authSubjectClaim ? { subjectClaim: authSubjectClaim } : {}),
  };
}

function readOnly(text: string | undefined, hasStack: boolean): readonly string[] {
  if (text === undefined) return checkNames;
  const asked = text.split(',').map((name) => name.trim());
  const unknown = asked.filter((name) => !checkNames.includes(name));
  if (unknown.length > 0) {
    const hints = unknown.map((name) => suggestion(name, checkNames)).join('');
    throw new UsageError(
      `--only knows ${checkNames.join(', ')}; got: ${unknown.map(shown).join(', ')}.${hints}`,
    );
  }
  if (!hasStack && asked.every((name) => stackCheckNames.includes(name))) {
    throw new UsageError(`${asked.join(', ')} look at a stack on AWS: give --stack`);
  }
  return checkNames.filter((name) => asked.includes(name));
}
