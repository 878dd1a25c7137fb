import type { CaaRecord } from 'node:dns';
import { parseArgs } from 'node:util';
import { contextOf } from '../config/config.ts';
import { optionSuggestion } from '../suggest.mjs';
import type { Output } from '../verify/report.ts';

export interface Arguments {
  /** Knobs, as `cdk deploy -c knob=value` takes them. */
  readonly context: Readonly<Record<string, string>>;
  readonly deploy: boolean;
  /** Print the IAM policy that the checks need, and check nothing. */
  readonly policy: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** What the command runs in. */
export interface Surroundings {
  /** Gets the report; with `--json` one JSON object and nothing else. */
  readonly output: Output;
  /** Gets the reason if nothing could be checked; with `--json` also the report. */
  readonly errors: Output;
  readonly environment: NodeJS.ProcessEnv;
  /** Asks which servers the world takes to be those of a DNS zone. @default that of Node.js */
  readonly resolveNs?: (zone: string) => Promise<string[]>;
  /** Asks which authorities may issue certificates for a name. @default that of Node.js */
  readonly resolveCaa?: (name: string) => Promise<CaaRecord[]>;
}

/** Nothing can be checked; the message says why, and what to do. */
export class CannotDiagnoseError extends Error {
  override readonly name = 'CannotDiagnoseError';
}

export const help = `Says before a deployment what the account lacks for it. It reads, and changes nothing.

Usage: npm run doctor -- --deploy [-c knob=value …] [options]

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
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
const optionNames = Object.keys(options).map((name) => `--${name}`);

/** @throws CannotDiagnoseError or ConfigError that names what is not valid */
export function readArguments(words: readonly string[]): Arguments {
  const {
    context = [],
    deploy = false,
    policy = false,
    json = false,
    help: wantsHelp = false,
  } = parse(words);
  if (!deploy && !policy && !wantsHelp)
    throw new CannotDiagnoseError(
      'Say what to look at: `npm run doctor -- --deploy` checks the account before a deployment. `npm run verify` proves a deployment that runs.',
    );
  return { context: contextOf(context), deploy, policy, json, help: wantsHelp };
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
