import { parseArgs } from 'node:util';

export interface LocalOptions {
  /** Instances of the service. @default 2 */
  readonly instances: number;
  /** The load balancer's port; when absent, 8080 or the next free one. */
  readonly port?: number;
  /** Seconds over which an instance that leaves sends its clients elsewhere. @default 2 */
  readonly drainSeconds: number;
  /** LiveKit nodes, where there is a LiveKit server. @default 2 */
  readonly liveKitNodes: number;
  /** Run a voice agent, where its packages are installed. @default true */
  readonly agent: boolean;
  /** Show every line that the parts log; else warnings and errors. @default false */
  readonly verbose: boolean;
  /** The service's entry, a JavaScript file. @default app/dist/server/main.js */
  readonly entry?: string;
}

/** A mistake in how the command was called; its message says the fix. */
export class UsageError extends Error {}

export const maxInstances = 16;
export const defaultDrainSeconds = 2;
const maxLiveKitNodes = 4;
const defaultLiveKitNodes = 2;

export const usage = `Usage: npm start -- [options]

Starts the whole topology on this machine: Redis, the service's instances, LiveKit and a sticky load balancer.

  --instances <n>  instances of the service, 1 to ${maxInstances} (default 2)
  --port <n>       port of the load balancer (default 8080, or the next free one)
  --drain <s>      seconds over which an instance that leaves sends its clients elsewhere, 0 to 60 (default ${defaultDrainSeconds})
  --livekit <n>    LiveKit nodes, 0 to ${maxLiveKitNodes}, where there is a LiveKit server (default ${defaultLiveKitNodes})
  --no-agent       no voice agent; without it one runs where livekit/agent is installed
  --entry <file>   the service to run (default app/dist/server/main.js)
  --verbose        show every line that the parts log (default: warnings and errors)
  --help           show this text

Example: npm start -- --instances 3 --port 9000`;

/** Reads the command line; 'help' if that is what was asked for. Throws a UsageError. */
export function parseArguments(args: readonly string[]): LocalOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  return {
    instances: wholeNumber('--instances', values.instances ?? '2', 1, maxInstances),
    port: values.port === undefined ? undefined : wholeNumber('--port', values.port, 1, 65535),
    drainSeconds: wholeNumber('--drain', values.drain ?? String(defaultDrainSeconds), 0, 60),
    liveKitNodes: wholeNumber('--livekit', values.livekit ?? String(defaultLiveKitNodes), 0, maxLiveKitNodes),
    agent: !values['no-agent'],
    verbose: values.verbose ?? false,
    entry: values.entry,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        instances: { type: 'string' },
        port: { type: 'string' },
        drain: { type: 'string' },
        livekit: { type: 'string' },
        'no-agent': { type: 'boolean' },
        entry: { type: 'string' },
        verbose: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${firstSentence((error as Error).message)}. Run with --help to see the options.`);
  }
}

function wholeNumber(flag: string, text: string, lowest: number, highest: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= lowest && value <= highest) return value;
  throw new UsageError(
    `${flag} must be a whole number from ${lowest} to ${highest}, got: "${text}". For example: ${flag} ${Math.max(lowest, flag === '--port' ? 8080 : 2)}`,
  );
}

function firstSentence(text: string): string {
  return text.split(/\. |\n/, 1)[0]?.replace(/\.$/, '') ?? text;
}
