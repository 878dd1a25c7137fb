import { hang, type Output, paint } from '../verify/report.ts';
import { count } from '../verify/wording.ts';

/** What both halves of the doctor find where there is no fault. What a fault says, each of them knows. */

export interface Passed {
  readonly status: 'passed';
  readonly found: string;
}

export interface NotChecked {
  readonly status: 'not-checked';
  readonly reason: string;
}

export const passed = (found: string): Passed => ({ status: 'passed', found });
export const notChecked = (reason: string): NotChecked => ({ status: 'not-checked', reason });

/** What is said of a finding that is no fault. */
export function linesOf(finding: Passed | NotChecked): readonly string[] {
  return finding.status === 'passed' ? [finding.found] : [`not checked: ${finding.reason}`];
}

const marks = {
  passed: ['✓', 'green'],
  failed: ['✗', 'red'],
  warned: ['!', 'yellow'],
  'not-checked': ['–', 'yellow'],
} as const;

type Status = keyof typeof marks;

interface Row {
  readonly name: string;
  readonly status: Status;
  readonly lines: readonly string[];
}

/** @param names of what is looked at, for the width of the first column */
export function writeRow(output: Output, { name, status, lines }: Row, names: readonly string[]): void {
  const width = Math.max(...names.map(({ length }) => length));
  const [sign, color] = marks[status];
  const head = `${paint(output, color, sign)} ${name.padEnd(width)}  `;
  output.write(`${head}${hang(lines, width + 4, output.columns)}\n`);
}

export function totalsOf(findings: readonly { readonly status: Status }[]): string {
  const number = (status: Status) => findings.filter((each) => each.status === status).length;
  return `${count(findings.length, 'finding')}: ${number('passed')} good, ${number('failed')} in the way, ${count(number('warned'), 'warning')}, ${number('not-checked')} not checked.`;
}

/** Nothing can be checked; the message says why, and what to do. */
export class CannotDiagnoseError extends Error {
  override readonly name = 'CannotDiagnoseError';
}
