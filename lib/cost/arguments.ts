import { parseArgs } from 'node:util';
import { optionSuggestion } from '../suggest.mjs';
import type { Load } from './sizing.ts';

export interface Arguments {
  /** Knobs, as `cdk synth -c knob=value` takes them. */
  readonly context: Readonly<Record<string, string>>;
  readonly json: boolean;
  readonly help: boolean;
  /** The load to plan for. Without it, the command prints the bill of the template. */
  readonly load?: Load;
}

/** The command line is not valid; the message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const help = `Prints what a month costs before traffic, from the template that \`cdk synth\` creates.

Usage: npm run cost -- [-c knob=value …] [options]

  -c knob=value      sets a knob of the stack, for example -c environment=prod; may be repeated
  --connections N    plans for a load instead: connections at the same time
  --publishes P      publishes a second (default 10 for each 1,000 connections)
  --audience A       members of a room, on average (default 10)
  --participants V   participants of calls at the same time, with video (default 0)
  --json             prints JSON
  --help`;

/** @throws UsageError that names what is not valid */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parse(args);
  const context = Object.fromEntries((values.context ?? []).map(pairOf));
  const basic = { context, json: values.json ?? false, help: values.help ?? false };
  const isPlan = [values.connections, values.publishes, values.audience, values.participants].some(
    (value) => value !== undefined,
  );
  if (!isPlan) return basic;
  const connections = numberOf('connections', values.connections, 0);
  return {
    ...basic,
    load: {
      connections,
      publishes: numberOf('publishes', values.publishes, connections / 100),
      audience: Math.max(1, numberOf('audience', values.audience, 10)),
      participants: numberOf('participants', values.participants, 0),
    },
  };
}

const options = {
  context: { type: 'string', short: 'c', multiple: true },
  connections: { type: 'string' },
  publishes: { type: 'string' },
  audience: { type: 'string' },
  participants: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
const optionNames = Object.keys(options).map((name) => `--${name}`);

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options });
  } catch (error) {
    const { message } = error as Error;
    throw new UsageError(`${message}${optionSuggestion(message, optionNames)}\n\n${help}`);
  }
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`\`-c\` must be knob=value, got: ${text}; write -c environment=prod`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function numberOf(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0 && text.trim() !== '') return value;
  throw new UsageError(`\`--${option}\` must be a number from 0, got: ${text}; write --${option} 100`);
}
