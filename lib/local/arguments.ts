import { parseArgs } from 'node:util';
import { optionSuggestion } from '../suggest.mjs';
import { maxInstances } from './processes/instances.ts';
import type { DeadTargets } from './proxy/targets.ts';

export interface LocalOptions {
  /** Instances of the service. @default 2 */
  readonly instances: number;
  /** The load balancer's port. @default 8080, or the next free one */
  readonly port?: number;
  /** Seconds over which an instance that leaves sends its clients elsewhere. @default 2 */
  readonly drainSeconds: number;
  /** No stickiness: each request goes to any instance. @default false */
  readonly roundRobin: boolean;
  /** What the load balancer without stickiness does with an instance that died. @default 'skip' */
  readonly dead: DeadTargets;
  /** Primaries of a cluster that share the rooms; 1 is one server without cluster mode. @default 1 */
  readonly shards: number;
  /** LiveKit nodes, where there is a LiveKit server. @default 2 */
  readonly liveKitNodes: number;
  /** Run a voice agent, where its packages are installed. @default true */
  readonly agent: boolean;
  /** Show every line that the processes log; else warnings and errors. @default false */
  readonly verbose: boolean;
  /** Build and roll out each saved change of the service and its page. @default false */
  readonly watch: boolean;
  /** The service's entry, a JavaScript file. @default app/dist/server/main.js */
  readonly entry?: string;
}

/** A mistake in how the command was called; the message has the fix. */
export class UsageError extends Error {}

export const defaultDrainSeconds = 2;
const maxLiveKitNodes = 4;
/** Each has a replica, and all run here. */
const maxShards = 8;
/** Fewer have no majority when one of them is gone. */
const leastShards = 3;
const defaultLiveKitNodes = 2;

export const usage = `Usage: npm start -- [options]

Starts the whole topology on this machine: Redis, the service's instances, LiveKit and a load balancer.

  --instances <n>  instances of the service, 1 to ${maxInstances} (default 2)
  --port <n>       port of the load balancer (default 8080, or the next free one)
  --shards <n>     shards of Redis, 1 for one server, or ${leastShards} to ${maxShards} for a cluster, each a primary and its replica (default 1)
  --drain <s>      seconds over which an instance that leaves sends its clients elsewhere, 0 to 60 (default ${defaultDrainSeconds})
  --round-robin    no stickiness: the load balancer gives each request to any instance, by chance
  --dead <skip|502>  with --round-robin, what becomes of the requests for an instance that died: others get them, or
                   they get 502 until it is back, as behind a proxy that checks nothing (default skip)
  --livekit <n>    LiveKit nodes, 0 to ${maxLiveKitNodes}, where there is a LiveKit server (default ${defaultLiveKitNodes})
  --no-agent       no voice agent; without it one runs where livekit/agent is installed
  --watch          build each saved change of the service and its page, and replace the instances one by one
  --entry <file>   the service to run (default app/dist/server/main.js)
  --verbose        show every line that the processes log (default: warnings and errors)
  --help           show this text

Example: npm start -- --instances 3 --port 9000`;

/** Reads the command line. @returns 'help' if that was asked for @throws UsageError */
export function parseArguments(args: readonly string[]): LocalOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  if (values.watch && values.entry !== undefined) {
    throw new UsageError(
      '--watch builds the service of app/, so it can’t go with --entry: leave one of them out.',
    );
  }
  const roundRobin = values['round-robin'] ?? false;
  return {
    instances: wholeNumber('--instances', values.instances ?? '2', 1, maxInstances),
    port: values.port === undefined ? undefined : wholeNumber('--port', values.port, 1, 65535),
    drainSeconds: wholeNumber('--drain', values.drain ?? String(defaultDrainSeconds), 0, 60),
    shards: shardsOf(values.shards ?? '1'),
    liveKitNodes: wholeNumber('--livekit', values.livekit ?? String(defaultLiveKitNodes), 0, maxLiveKitNodes),
    roundRobin,
    dead: deadTargets(values.dead, roundRobin),
    agent: !values['no-agent'],
    verbose: values.verbose ?? false,
    watch: values.watch ?? false,
    entry: values.entry,
  };
}

const options = {
  instances: { type: 'string' },
  port: { type: 'string' },
  shards: { type: 'string' },
  drain: { type: 'string' },
  livekit: { type: 'string' },
  'round-robin': { type: 'boolean' },
  dead: { type: 'string' },
  'no-agent': { type: 'boolean' },
  watch: { type: 'boolean' },
  entry: { type: 'string' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
const optionNames = Object.keys(options).map((name) => `--${name}`);

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const { message } = error as Error;
    const hint = optionSuggestion(message, optionNames);
    throw new UsageError(`${firstSentence(message)}.${hint} Run with --help to see the options.`);
  }
}

function wholeNumber(flag: string, text: string, lowest: number, highest: number, example = 2): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= lowest && value <= highest) return value;
  throw new UsageError(
    `${flag} must be a whole number from ${lowest} to ${highest}, got: "${text}". For example: ${flag} ${Math.max(lowest, flag === '--port' ? 8080 : example)}`,
  );
}

function shardsOf(text: string): number {
  const shards = wholeNumber('--shards', text, 0, maxShards, leastShards);
  if (shards === 2) {
    throw new UsageError(
      `--shards can't be 2: when one of two primaries dies, the other is no majority that could replace it. For example: --shards ${leastShards}`,
    );
  }
  return Math.max(1, shards);
}

function deadTargets(text: string | undefined, roundRobin: boolean): DeadTargets {
  if (text === undefined || (text === 'skip' && roundRobin)) return 'skip';
  if (text !== 'skip' && text !== '502') {
    throw new UsageError(`--dead must be skip or 502, got: "${text}". For example: --round-robin --dead 502`);
  }
  if (roundRobin) return 'answer 502';
  throw new UsageError('--dead is for the load balancer without stickiness: add --round-robin.');
}

function firstSentence(text: string): string {
  return text.split(/\. |\n/, 1)[0]?.replace(/\.$/, '') ?? text;
}
