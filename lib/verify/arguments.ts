import { parseArgs } from 'node:util';
import { environmentNames } from '../../app/names.ts';
import { type CheckName, checkNames, type Load } from './check.ts';
import type { Key } from './tokens.ts';

/** What the command line asks for. */
export interface Arguments {
  /** @default the local topology */
  readonly url?: string;
  /** Name of a stack on AWS, which is looked at besides. */
  readonly stack?: string;
  /** @default as many as the local topology has, else as many as answer */
  readonly instances?: number;
  readonly load: Load;
  /** Longest wait for any one thing, in milliseconds. @default 30000 */
  readonly timeoutMs: number;
  /** Names of the checks to run. @default all */
  readonly only: readonly CheckName[];
  /** A JWT for all clients. @default one of the service's own for guests, or none where it asks for none */
  readonly token?: string;
  /** What tokens are signed with. @default none is signed here */
  readonly key?: Key;
  /** Opens the HTTP API. @default the local topology's */
  readonly serviceToken?: string;
  /** Wait for what takes minutes, too. */
  readonly long: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** What stands in the environment, for secrets have no place in a list of processes. */
export interface Secrets {
  readonly serviceToken?: string | undefined;
  readonly authSecret?: string | undefined;
  readonly authIssuer?: string | undefined;
  readonly authAudience?: string | undefined;
}

/** The command line can't be followed; the message says what to give instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
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
  --json             one JSON object on the standard output and nothing else
  --help             this text

Only a topology on this machine has instances added and killed; it is left as it was found.
Exit code: 0 when all checks hold that were not skipped, 1 when one fails or none could run,
2 when the command line, the URL or the token is no good, 130 on Ctrl-C.
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
    only: readOnly(values.only),
    ...(token === undefined ? {} : { token }),
    ...(key && { key }),
    ...(serviceToken === undefined ? {} : { serviceToken }),
    long: values.long ?? false,
    json: values.json ?? false,
    help: values.help ?? false,
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: false,
      options: {
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
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    // Node adds advice on positionals, of which there are none here.
    const [what = ''] = (error as Error).message.split('. ');
    throw new UsageError(`${what}. \`npm run verify -- --help\` lists the options.`);
  }
}

function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`--url must be http://… or https://…, got: ${text}`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new UsageError(`--url must be without a path, got: ${text}; give ${url.origin}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(`--url must be without a user and a password; give ${url.origin}`);
  }
  return url.origin;
}

function readStackName(text: string): string {
  if (/^[A-Za-z][A-Za-z0-9-]{0,127}$/.test(text)) return text;
  throw new UsageError(
    `--stack must be the name of a stack such as realtime-prod, got: ${text || '(nothing)'}`,
  );
}

function wholeNumber(option: string, text: string | undefined, most: number, otherwise = 0): number {
  if (text === undefined) return otherwise;
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new UsageError(`${option} must be a whole number from 1 to ${most}, got: ${text || '(nothing)'}`);
}

/** It is not repeated: it is a secret. */
function readToken(option: string, text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new UsageError(
    `${option} must be a token without spaces, got ${text.length} characters that are none`,
  );
}

/** Of two the first one, as the service has them while one replaces the other. */
function readServiceToken(given: string | undefined, { serviceToken = '' }: Secrets): string | undefined {
  if (given !== undefined) return readToken('--service-token', given);
  const [first = ''] = serviceToken.split(',');
  return first === '' ? undefined : readToken(environmentNames.serviceToken, first);
}

function readKey({ authSecret = '', authIssuer, authAudience }: Secrets): Key | undefined {
  const [secret = ''] = authSecret.split(',');
  if (secret === '') return undefined;
  return {
    secret,
    ...(authIssuer ? { issuer: authIssuer } : {}),
    ...(authAudience ? { audience: authAudience } : {}),
  };
}

function readOnly(text: string | undefined): readonly CheckName[] {
  if (text === undefined) return checkNames;
  const asked = text.split(',').map((name) => name.trim());
  const unknown = asked.filter((name) => !checkNames.some((known) => known === name));
  if (unknown.length > 0) {
    throw new UsageError(`--only knows ${checkNames.join(', ')}; got: ${unknown.join(', ') || '(nothing)'}`);
  }
  return checkNames.filter((name) => asked.includes(name));
}
