import { parseArgs } from 'node:util';
import { ConfigError, contextOf } from '../config/config.ts';
import { optionSuggestion } from '../suggest.mjs';
import { type Bill, billOf } from './bill.ts';
import { measured } from './measured.ts';
import { prices } from './prices.ts';
import { type Load, type Size, sizeOf } from './sizing.ts';
import { type UnitCost, unitCosts } from './unit-costs.ts';

export interface Streams {
  readonly output: { write(text: string): unknown };
  readonly errors: { write(text: string): unknown };
}

/** @returns the exit code: 1 if the knobs or the command line are not valid */
export async function cost(args: readonly string[], { output, errors }: Streams): Promise<number> {
  try {
    output.write(`${await reportFor(args)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
    errors.write(`${error.message}\n`);
    return 1;
  }
}

async function reportFor(args: readonly string[]): Promise<string> {
  const { context, json, help: wantsHelp, units, load } = parseArguments(args);
  if (wantsHelp) return help;
  if (units) return json ? JSON.stringify(unitCosts()) : renderUnits(unitCosts());
  if (load) {
    const sizes = sizeOf(load);
    return json ? JSON.stringify(sizes) : renderSizes(sizes);
  }
  // Loading the CDK takes a second, and the size of a load does not need it.
  const { synthesize } = await import('./synthesize.ts');
  const bill = billOf(synthesize(context).template);
  return json ? JSON.stringify(bill) : renderBill(bill);
}

const dollars = (amount: number) => amount.toFixed(2).padStart(9);
const count = (quantity: number) =>
  String(Number.isInteger(quantity) ? quantity : quantity.toFixed(1)).padStart(5);

const footer = `us-east-1, on demand, prices of ${prices.asOf}, ${prices.hoursAMonth} hours`;

function renderBill({ items, total, unknown }: Bill): string {
  return [
    ...items.map(({ what, quantity, each }) => `${dollars(quantity * each)}  ${count(quantity)} × ${what}`),
    `${dollars(total)}  a month before traffic`,
    ...unknown.map((what) => `        ?  not in the price table: ${what}`),
    footer,
  ].join('\n');
}

function renderUnits(units: readonly UnitCost[]): string {
  return [
    ...units.map(({ what, dollars, because }) => `${dollars.toFixed(5).padStart(9)}  ${what}: ${because}`),
    `dollars on Fargate, by the figures of ${measured.date}; Redis, the load balancer and traffic are not in them`,
    footer,
  ].join('\n');
}

function renderSizes(sizes: readonly Size[]): string {
  const total = sizes.reduce((sum, { monthly }) => sum + monthly, 0);
  return [
    ...sizes.map(
      ({ what, count: needed, because, monthly }) =>
        `${dollars(monthly)}  ${count(needed)} × ${what}: ${because}`,
    ),
    `${dollars(total)}  a month, in addition to what the stack costs without load: \`npm run cost\` shows that`,
    footer,
  ].join('\n');
}

interface Arguments {
  /** Knobs, as `cdk synth -c knob=value` takes them. */
  readonly context: Readonly<Record<string, string>>;
  readonly json: boolean;
  readonly help: boolean;
  /** What one thing costs, instead of a bill. */
  readonly units: boolean;
  /** The load to plan for. Without it, the command prints the bill of the template. */
  readonly load?: Load;
}

/** The command line is not valid; the message says what to write instead. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

const help = `Prints what a month costs before traffic, from the template that \`cdk synth\` creates.

Usage: npm run cost -- [-c knob=value …] [options]

  -c knob=value      sets a knob of the stack, for example -c environment=prod; may be repeated
  --connections N    plans for a load instead: connections at the same time
  --publishes P      publishes a second (default 10 for each 1,000 connections)
  --audience A       members of a room, on average (default 10)
  --participants V   participants of calls at the same time, with video (default 0)
  --units            prints what a message, a connection and an hour of an AI answer cost on Fargate
  --json             prints JSON
  --help`;

/** @throws UsageError or ConfigError that names what is not valid */
function parseArguments(args: readonly string[]): Arguments {
  const { values } = parse(args);
  const basic = {
    context: contextOf(values.context ?? []),
    json: values.json ?? false,
    help: values.help ?? false,
    units: values.units ?? false,
  };
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
  units: { type: 'boolean' },
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

function numberOf(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0 && text.trim() !== '') return value;
  throw new UsageError(`\`--${option}\` must be a number from 0, got: ${text}; write --${option} 100`);
}
