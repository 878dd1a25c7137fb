import type { CaaRecord } from 'node:dns';
import { parseArgs } from 'node:util';
import { contextOf } from '../config/config.ts';
import { optionSuggestion } from '../suggest.mjs';
import type { Output } from '../verify/report.ts';
import { CannotDiagnoseError } from './finding.ts';
import { readQuestion } from './url/read-question.ts';
import type { Question } from './url/survey.ts';

export interface Arguments {
  /** Knobs, as `cdk deploy -c knob=value` takes them. */
  readonly context: Readonly<Record<string, string>>;
  readonly deploy: boolean;
  /** Print the IAM policy that the checks need, and check nothing. */
  readonly policy: boolean;
  readonly json: boolean;
  readonly help: boolean;
  /** What to find out about a server. @default the account is looked at, not a server */
  readonly question?: Question;
}

/** What the command runs in. */
export interface Surroundings {
  /** Gets the report; with `--json` one JSON object and nothing else. */
  readonly output: Output;
  /** Gets the reason if nothing could be checked; with `--json` also the report. */
  readonly errors: Output;
  readonly environment: NodeJS.ProcessEnv;
  /** Aborted on Ctrl-C. @default it is not interrupted */
  readonly signal?: AbortSignal;
  /** Asks which servers the world takes to be those of a DNS zone. @default that of Node.js */
  readonly resolveNs?: (zone: string) => Promise<string[]>;
  /** Asks which authorities may issue certificates for a name. @default that of Node.js */
  readonly resolveCaa?: (name: string) => Promise<CaaRecord[]>;
}

export const help = `Says why the clients of a realtime server fail, whoever made it; and before a deployment to AWS, what
the account lacks. It reads, and changes nothing.

Usage: npm run doctor -- --url URL [options]
       npm run doctor -- --deploy [-c knob=value …] [options]

A server:
  --url URL          the address that clients connect to, with a path if they have one
  --plain KIND       socketio or signalr: what it is. Without it, both are looked for, and this project's
                     service is known by its health check
  --path PATH        where it is served: /socket.io/ by default, or the path of a hub (/llmhub)
  --namespace NAME   of Socket.IO, where clients enter another than the main one: /bots
  --instance URL     the address of one instance, past the proxy: what fails there, too, is neither the
                     proxy's fault nor that of running several
  --origin ORIGIN    the origin of a page whose scripts connect: https://app.example.com
  --token T          a token that the server accepts, if it wants one
  --broadcast EVENT  an event or a method that the server sends on to every client, with its values:
                     SendMessage='["doctor","hello"]'. All its users get it; it proves the backplane
  --idle SECONDS     the longest wait for a heartbeat, 1-600 (default 65)
  REDIS_URL, ConnectionStrings__Redis in the environment: the Redis of the server, which is asked, too

Before a deployment:
  --deploy           checks the account that the credentials of the environment belong to, in the
                     region that is configured, against what the knobs would deploy
  -c knob=value      sets a knob of the stack, as for \`npx cdk deploy\`; may be repeated
  --policy           prints the IAM policy that all the checks need, and checks nothing. Without a
                     permission, what needs it is not checked, and the finding names it

  --json             one JSON object on the standard output and nothing else, whatever happens. npm adds
                     lines of its own: \`npm run --silent doctor -- --deploy --json\`
  --help             this text

Exit code:
  0    nothing that was checked stands in the way. Warnings (!) and what could not be checked (–) are
       named, and count for nothing
  1    something stands in the way (✗), or AWS let nothing at all be checked
  2    nothing was checked: the command line, a knob or the credentials are no good; what to do is said
`;

const options = {
  deploy: { type: 'boolean' },
  context: { type: 'string', short: 'c', multiple: true },
  policy: { type: 'boolean' },
  url: { type: 'string' },
  plain: { type: 'string' },
  path: { type: 'string' },
  namespace: { type: 'string' },
  instance: { type: 'string' },
  origin: { type: 'string' },
  token: { type: 'string' },
  broadcast: { type: 'string' },
  idle: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
const optionNames = Object.keys(options).map((name) => `--${name}`);

/** @throws CannotDiagnoseError or ConfigError that names what is not valid */
export function readArguments(
  words: readonly string[],
  { environment, signal = new AbortController().signal }: Pick<Surroundings, 'environment' | 'signal'>,
): Arguments {
  const {
    context = [],
    deploy = false,
    policy = false,
    json = false,
    help: wantsHelp = false,
    url,
    ...ofUrl
  } = parse(words);
  if (!deploy && !policy && !wantsHelp && url === undefined)
    throw new CannotDiagnoseError(
      'Say what to look at: `npm run doctor -- --url https://…` looks at a server that runs, `npm run doctor -- --deploy` checks the account before a deployment.',
    );
  if (deploy && url !== undefined)
    throw new CannotDiagnoseError(
      'Give --url or --deploy: a server and an account are looked at one by one.',
    );
  const question = url === undefined ? undefined : readQuestion({ url, ...ofUrl }, environment, signal);
  return {
    context: contextOf(context),
    deploy,
    policy,
    json,
    help: wantsHelp,
    ...(question && { question }),
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options }).values;
  } catch (error) {
    const { message } = error as Error;
    throw new CannotDiagnoseError(
      `${message.split('. ')[0]}.${optionSuggestion(message, optionNames)} \`npm run doctor -- --help\` lists the options.`,
    );
  }
}
