import { styleText } from 'node:util';
import type { Check, Load } from './check.ts';
import { describeShards, type RoomsOfShard } from './clients/rooms-on-shards.ts';
import type { Tokens } from './clients/tokens.ts';
import type { Progress } from './run.ts';
import type { Result } from './run-check.ts';
import type { Target } from './target/target.ts';
import { count, duration } from './wording.ts';

/** Where a report is written: the part of a stream that it needs. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Summary {
  /** Whether all checks that could be run passed, and at least one was proved. */
  readonly ok: boolean;
  readonly url: string;
  /** The kind of tokens that the clients sent. */
  readonly tokens: Tokens['kind'];
  /** ISO 8601 */
  readonly startedAt: string;
  /** In milliseconds. */
  readonly ms: number;
  readonly passed: number;
  readonly failed: number;
  readonly notProved: number;
  /** Ended by Ctrl-C before the last check. */
  readonly interrupted: boolean;
  /** How often a limit of the service made a client wait. That is no fault. */
  readonly rateLimited: number;
  readonly checks: readonly Result[];
  /** Checks for which there is nothing here. */
  readonly leftOut?: LeftOut;
  /** Where the rooms of the checks are, in a cluster. @default there is none */
  readonly shards?: readonly RoomsOfShard[];
}

/** Names of the checks of a part that is absent. */
export interface LeftOut {
  readonly names: readonly string[];
  readonly reason: string;
}

/** The facts of a run besides its results. */
export interface Run {
  readonly target: Pick<Target, 'url'>;
  readonly tokens: Tokens;
  readonly startedAt: Date;
  /** In milliseconds. */
  readonly ms: number;
  readonly interrupted: boolean;
  readonly rateLimited: number;
  readonly leftOut?: LeftOut | undefined;
  readonly shards?: readonly RoomsOfShard[] | undefined;
}

export interface Report extends Progress {
  begin(target: Target, tokens: Tokens, load: Load): void;
  end(summary: Summary): void;
}

export function summarize(run: Run, checks: readonly Result[]): Summary {
  const { target, tokens, startedAt, ms, interrupted, rateLimited, leftOut, shards = [] } = run;
  const number = (status: Result['status']) => checks.filter((check) => check.status === status).length;
  const [passed, failed, notProved] = [number('passed'), number('failed'), number('not-proved')];
  return {
    ok: failed === 0 && passed > 0 && !interrupted,
    url: target.url,
    tokens: tokens.kind,
    startedAt: startedAt.toISOString(),
    ms,
    passed,
    failed,
    notProved,
    interrupted,
    rateLimited,
    checks,
    ...(leftOut ? { leftOut } : {}),
    ...(shards.length > 0 ? { shards } : {}),
  };
}

export function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const timeWidth = 7;
/** Wrapped text that is narrower than this is hard to read. */
const leastTextWidth = 40;

/** Prints a row when a check ends. On a terminal it uses color, and shows the name of the running check. */
export function tableReport(output: Output, checks: readonly Pick<Check, 'name'>[]): Report {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const indent = 2 + nameWidth + 1 + timeWidth + 2;
  const clear = output.isTTY ? '\r\u001b[2K' : '';
  const line = (text: string) => output.write(`${clear}${text}\n`);
  let lastReason: string | undefined;
  return {
    begin: (target, tokens, load) => line(`${heading(target, tokens, load)}\n`),
    started: ({ name }) => {
      if (output.isTTY) output.write(`${clear}  ${name} …`);
    },
    finished: (result) => {
      const head = `${mark(output, result.status)} ${result.name.padEnd(nameWidth)} ${time(result)}  `;
      const reason = result.status === 'not-proved' ? result.reason : undefined;
      const isSame = reason !== undefined && reason === lastReason;
      const lines = isSame ? ['not proved, for the same reason'] : textOf(output, result);
      line(head + hang(lines, indent, output.columns));
      lastReason = reason ?? lastReason;
    },
    end: (summary) => {
      const { leftOut, rateLimited, shards } = summary;
      if (leftOut) line(`  ${leftOut.reason} (${leftOut.names.join(', ')})`);
      if (rateLimited > 0) line(`  a limit of the service made clients wait ${count(rateLimited, 'time')}`);
      if (shards) line(`  ${describeShards(shards)}`);
      line(`\n${totals(summary)}`);
    },
  };
}

function heading({ url, control }: Target, tokens: Tokens, { clients, messages }: Load): string {
  const where = control ? 'a topology on this machine' : 'nothing is added or killed there';
  const load = `${count(clients, 'client')} an instance, ${count(messages, 'message')} each`;
  return `Verifying ${url} (${where}): ${load}${tokenWords[tokens.kind]}`;
}

const tokenWords: Record<Tokens['kind'], string> = {
  none: '',
  one: ', with the token given',
  guests: ", with guests' tokens",
  minted: ', with tokens signed here',
};

function time({ status, ms }: Result): string {
  return (status === 'not-proved' ? '' : duration(ms)).padStart(timeWidth);
}

const marks = { passed: ['✓', 'green'], failed: ['✗', 'red'], 'not-proved': ['–', 'yellow'] } as const;

function mark(output: Output, status: Result['status']): string {
  const [sign, color] = marks[status];
  return paint(output, color, sign);
}

export function paint({ isTTY }: Output, color: 'green' | 'red' | 'yellow' | 'bold', text: string): string {
  return isTTY ? styleText(color, text) : text;
}

function textOf(output: Output, result: Result): readonly string[] {
  switch (result.status) {
    case 'passed':
      return [result.proved, ...(result.notProved ?? []).map((words) => `not proved: ${words}`)];
    case 'not-proved':
      return [`not proved: ${result.reason}`];
    case 'failed':
      return [
        paint(output, 'bold', `${result.title}: no`),
        `found:  ${result.found}`,
        `likely: ${result.cause}`,
        `fix:    ${result.fix}`,
      ];
  }
}

/** Puts lines under one another from a column on, and wraps them if the terminal's width is known. */
export function hang(lines: readonly string[], indent: number, columns = Number.POSITIVE_INFINITY): string {
  const width = Math.max(leastTextWidth, columns - indent - 1);
  return lines.flatMap((line) => wrap(line, width)).join(`\n${' '.repeat(indent)}`);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function totals({ passed, failed, notProved, interrupted, ms, ok }: Summary): string {
  const numbers = `${count(passed + failed + notProved, 'check')}: ${passed} passed, ${failed} failed, ${notProved} not proved`;
  const end = interrupted ? ` Interrupted${failed === 0 ? '; the topology is as it was' : ''}.` : '';
  const none = !ok && failed === 0 && !interrupted ? ' Nothing was proved.' : '';
  return `${numbers} in ${duration(ms)}.${end}${none}`;
}
