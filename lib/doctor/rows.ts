import { hang, type Output, paint } from '../verify/report.ts';
import { count } from '../verify/wording.ts';

const marks = {
  passed: ['✓', 'green'],
  failed: ['✗', 'red'],
  warned: ['!', 'yellow'],
  'not-checked': ['–', 'yellow'],
} as const;

type Status = keyof typeof marks;

export interface Row {
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
