import type { z } from 'zod';
import { environments, type Knobs, knobs } from './knobs.ts';
import { presets } from './presets.ts';
import { rules } from './rules.ts';

/** What the stack is built from: every knob, read, checked and with its preset. */
export type RealtimeConfig = Readonly<Knobs & { maxTasks: number; connectionsPerTask: number }>;

/** What a caller may hand over: any of the knobs, as values or as text. */
export type RealtimeConfigInput = Readonly<Record<string, unknown>>;

/** Connections of one vCPU: 0.44 ms of CPU a handshake (`npm run bench`), so all of them come back within 3 s. */
const connectionsPerVcpu = 5_000;

/**
 * Reads and checks the configuration.
 *
 * @throws ConfigError that lists every fault, each with the value and what to do about it
 */
export function parseConfig(input: RealtimeConfigInput): RealtimeConfig {
  const given = withPreset(input);
  const parsed = knobs.safeParse(given);
  const faults = [
    ...unknownFaults(input),
    ...knobFaults(parsed.error?.issues),
    ...rules.map((check) => check(given)).filter((fault) => fault !== undefined),
  ];
  if (!parsed.success || faults.length > 0)
    throw new ConfigError(`The configuration does not hold:\n${faults.map((f) => `- ${f}`).join('\n')}`);
  const { minTasks, cpu, environment } = parsed.data;
  return {
    ...parsed.data,
    maxTasks: parsed.data.maxTasks ?? (isAlone(input) || environment === 'dev' ? minTasks : 4 * minTasks),
    connectionsPerTask:
      parsed.data.connectionsPerTask ?? Math.max(10, Math.round((cpu / 1024) * connectionsPerVcpu)),
  };
}

function withPreset(input: RealtimeConfigInput): RealtimeConfigInput {
  const named = environments.find((name) => name === input.environment) ?? 'dev';
  const set = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  return { ...presets[named], ...(isAlone(input) ? { minTasks: 1 } : {}), ...set };
}

const isAlone = ({ backplane }: RealtimeConfigInput) => backplane === 'none';

function unknownFaults(input: RealtimeConfigInput): string[] {
  const known = Object.keys(knobs.shape);
  return Object.keys(input)
    .filter((key) => !known.includes(key))
    .map(
      (key) =>
        `\`${key}\` must be a knob, got: ${JSON.stringify(input[key])}; take one of ${known.join(', ')}`,
    );
}

/** One fault a knob: what else is wrong with it mostly follows. */
function knobFaults(issues: readonly z.core.$ZodIssue[] = []): string[] {
  const faults = new Map<unknown, string>();
  for (const { path, message } of issues)
    if (!faults.has(path[0])) faults.set(path[0], `\`${String(path[0])}\` ${message}`);
  return [...faults.values()];
}

/** The configuration holds faults, which the message lists; nothing was built. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The knobs among the CDK's context: its own keys carry a `:` or a `/`, but for the notices that a user put off. */
export function knobsOfContext(context: Readonly<Record<string, unknown>>): RealtimeConfigInput {
  const isKnob = (key: string) => !/[:/]/.test(key) && key !== 'acknowledged-issue-numbers';
  return Object.fromEntries(Object.entries(context).filter(([key]) => isKnob(key)));
}
