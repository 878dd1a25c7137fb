import { styleText } from 'node:util';
import type { Check, CheckName, Load } from './check.ts';
import type { Progress, Result } from './run.ts';
import type { Target } from './target.ts';
import { noTokens, type Tokens } from './tokens.ts';
import { count, duration } from './words.ts';

/** Where a report is written: as much of a stream as it takes. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Summary {
  /** All that ran hold, and at least one ran to its end. */
  readonly ok: boolean;
  readonly url: string;
  /** What the clients showed. */
  readonly tokens: Tokens['kind'];
  /** ISO 8601 */
  readonly startedAt: string;
  /** In milliseconds. */
  readonly ms: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Ended by Ctrl-C before the last check. */
  readonly interrupted: boolean;
  readonly checks: readonly Result[];
  /** There is nothing here for them. */
  readonly leftOut?: LeftOut;
}

/** Checks that belong to a part which is not there. */
export interface LeftOut {
  readonly names: readonly CheckName[];
  readonly reason: string;
}

export interface Report extends Progress {
  begin(target: Target, load: Load): void;
  end(summary: Summary): void;
}

export function summarize(
  { url, tokens = noTokens }: Pick<Target, 'url' | 'tokens'>,
  startedAt: Date,
  ms: number,
  checks: readonly Result[],
  interrupted: boolean,
  leftOut?: LeftOut,
): Summary {
  const number = (status: Result['status']) => checks.filter((check) => check.status === status).length;
  const [passed, failed, skipped] = [number('passed'), number('failed'), number('skipped')];
  const ok = failed === 0 && passed > 0 && !interrupted;
  return {
    ok,
    url,
    tokens: tokens.kind,
    startedAt: startedAt.toISOString(),
    ms,
    passed,
    failed,
    skipped,
    interrupted,
    checks,
    ...(leftOut ? { leftOut } : {}),
  };
}

/** One JSON object, at the end, and nothing else. */
export function jsonReport(output: Output): Report {
  return {
    begin: () => undefined,
    started: () => undefined,
    finished: () => undefined,
    end: (summary) => output.write(`${JSON.stringify(summary, null, 2)}\n`),
  };
}

const timeWidth = 7;
/** Narrower than this, wrapped text is no longer read with ease. */
const leastTextWidth = 40;

/** A row a check as each ends; on a terminal with color, and the name of the one that runs. */
export function tableReport(output: Output, checks: readonly Check[]): Report {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const indent = 2 + nameWidth + 1 + timeWidth + 2;
  const clear = output.isTTY ? '\r\u001b[2K' : '';
  const line = (text: string) => output.write(`${clear}${text}\n`);
  return {
    begin: (target, load) => line(`${heading(target, load)}\n`),
    started: ({ name }) => {
      if (output.isTTY) output.write(`${clear}  ${name} …`);
    },
    finished: (result) => {
      const head = `${mark(output, result.status)} ${result.name.padEnd(nameWidth)} ${time(result)}  `;
      line(head + hang(textOf(output, result), indent, output.columns));
    },
    end: (summary) => {
      const { leftOut } = summary;
      if (leftOut) line(`  ${leftOut.reason} (${leftOut.names.join(', ')})`);
      line(`\n${totals(summary)}`);
    },
  };
}

function heading({ url, control, tokens = noTokens }: Target, { clients, messages }: Load): string {
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
  return (status === 'skipped' ? '' : duration(ms)).padStart(timeWidth);
}

const marks = { passed: ['✓', 'green'], failed: ['✗', 'red'], skipped: ['–', 'yellow'] } as const;

function mark(output: Output, status: Result['status']): string {
  const [sign, color] = marks[status];
  return paint(output, color, sign);
}

function paint({ isTTY }: Output, color: 'green' | 'red' | 'yellow' | 'bold', text: string): string {
  return isTTY ? styleText(color, text) : text;
}

function textOf(output: Output, result: Result): readonly string[] {
  switch (result.status) {
    case 'passed':
      return [result.proved, ...(result.notProved ?? []).map((words) => `not proved: ${words}`)];
    case 'skipped':
      return [`skipped: ${result.reason}`];
    case 'failed':
      return [
        paint(output, 'bold', `${result.title}: no`),
        `found:  ${result.found}`,
        `likely: ${result.cause}`,
        `fix:    ${result.fix}`,
      ];
  }
}

/** Lines under one another from a column on, wrapped where the terminal's width is known. */
function hang(lines: readonly string[], indent: number, columns = Number.POSITIVE_INFINITY): string {
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

function totals({ passed, failed, skipped, interrupted, ms, ok }: Summary): string {
  const numbers = `${count(passed + failed + skipped, 'check')}: ${passed} passed, ${failed} failed, ${skipped} skipped`;
  const end = interrupted ? ` Interrupted${failed === 0 ? '; the topology is as it was' : ''}.` : '';
  const none = !ok && failed === 0 && !interrupted ? ' Nothing was proved.' : '';
  return `${numbers} in ${duration(ms)}.${end}${none}`;
}
