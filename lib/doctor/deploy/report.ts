import { hang, type Output, paint } from '../../verify/report.ts';
import { count } from '../../verify/wording.ts';
import type { Finding, NamedFinding } from './finding.ts';

export interface Summary {
  /** Whether nothing that was checked stands in the way, and something was checked. */
  readonly ok: boolean;
  readonly account: string;
  readonly region: string;
  readonly stack: string;
  readonly findings: readonly NamedFinding[];
}

/** Prints a row for each finding as it comes. */
export interface Report {
  begin(about: Pick<Summary, 'account' | 'region' | 'stack'>): void;
  found(finding: NamedFinding): void;
  end(summary: Summary): void;
}

const marks = {
  passed: ['✓', 'green'],
  failed: ['✗', 'red'],
  warned: ['!', 'yellow'],
  'not-checked': ['–', 'yellow'],
} as const;

/** @param names of what is looked at, for the width of the first column */
export function rowReport(output: Output, names: readonly string[]): Report {
  const width = Math.max(...names.map(({ length }) => length));
  const indent = width + 4;
  return {
    begin: ({ account, region, stack }) =>
      output.write(`Before a deployment of ${stack} to ${region} in the account ${account}\n\n`),
    found: (finding) => {
      const [sign, color] = marks[finding.status];
      const head = `${paint(output, color, sign)} ${finding.name.padEnd(width)}  `;
      output.write(`${head}${hang(linesOf(finding), indent, output.columns)}\n`);
    },
    end: ({ findings }) => output.write(`\n${totals(findings)}\n`),
  };
}

function linesOf(finding: Finding): readonly string[] {
  switch (finding.status) {
    case 'passed':
      return [finding.found];
    case 'not-checked':
      return [`not checked: ${finding.reason}`];
    default:
      return [`found:  ${finding.found}`, `needed: ${finding.needed}`, `fix:    ${finding.fix}`];
  }
}

function totals(findings: readonly Finding[]): string {
  const number = (status: Finding['status']) => findings.filter((each) => each.status === status).length;
  const denied = findings.some((each) => each.status === 'not-checked' && /permission/.test(each.reason));
  return [
    `${count(findings.length, 'finding')}: ${number('passed')} good, ${number('failed')} in the way, ${count(number('warned'), 'warning')}, ${number('not-checked')} not checked.`,
    ...(denied ? ['`npm run doctor -- --policy` prints the IAM policy with which all is checked.'] : []),
  ].join('\n');
}
