import type { z } from 'zod';
import { nearest } from '../suggest.mjs';
import { groupKnobs, type RealtimeConfig } from './groups.ts';
import { environments, knobs } from './knobs.ts';
import { presets } from './presets.ts';
import { shownValue } from './readers.ts';
import { rules } from './rules.ts';

/** What a caller may pass: any of the knobs, as values or as text. */
export type KnobInput = Readonly<Record<string, unknown>>;

/**
 * Reads the knobs, checks them, and derives the configuration of the stack.
 *
 * @throws ConfigError that lists every fault, each with the value and what to do about it
 */
export function parseConfig(input: KnobInput): RealtimeConfig {
  const given = withPreset(input);
  const parsed = knobs.safeParse(given);
  const faults = [
    ...unknownFaults(input),
    ...knobFaults(parsed.error?.issues),
    ...rules.map((check) => check(given)).filter((fault) => fault !== undefined),
  ];
  if (!parsed.success || faults.length > 0)
    throw new ConfigError(`The configuration is not valid:\n${faults.map((f) => `- ${f}`).join('\n')}`);
  return groupKnobs(parsed.data);
}

/** Without a backplane there is one task, whatever the preset says. */
function withPreset(input: KnobInput): KnobInput {
  const environment = environments.find((name) => name === input.environment) ?? 'dev';
  const set = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const isAlone = input.backplane === 'none' || input.backplane === 'bypassed';
  return { ...presets[environment], ...(isAlone ? { minTasks: 1 } : {}), ...set };
}

function unknownFaults(input: KnobInput): string[] {
  const known = Object.keys(knobs.shape);
  return Object.keys(input)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const meant = nearest(key, known);
      const fix = meant ? `did you mean ${meant}?` : `take one of ${known.join(', ')}`;
      return `\`${key}\` must be a knob, got: ${shownValue(input[key], key)}; ${fix}`;
    });
}

/** One fault for each knob: further issues of the same knob mostly follow from the first. */
function knobFaults(issues: readonly z.core.$ZodIssue[] = []): string[] {
  const faults = new Map<unknown, string>();
  for (const { path, message } of issues)
    if (!faults.has(path[0])) faults.set(path[0], `\`${String(path[0])}\` ${message}`);
  return [...faults.values()];
}

/** The configuration has faults, which the message lists. Nothing was built. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The CDK's context as a command line sets it, of the words behind each `-c`. @throws ConfigError */
export function contextOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(words.map(pairOf));
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new ConfigError(`\`-c\` must be knob=value, got: ${text}; write -c environment=prod`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The knobs among the CDK's context. The CDK's own keys contain a `:` or a `/`, except for the acknowledged notices. */
export function knobsOfContext(context: Readonly<Record<string, unknown>>): KnobInput {
  const isKnob = (key: string) => !/[:/]/.test(key) && key !== 'acknowledged-issue-numbers';
  return Object.fromEntries(Object.entries(context).filter(([key]) => isKnob(key)));
}
