import type { Output } from '../../verify/report.ts';
import { linesOf, totalsOf, writeRow } from '../finding.ts';
import type { Fault, Finding, NamedFinding } from './finding.ts';

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

/** @param names of what is looked at, for the width of the first column */
export function rowReport(output: Output, names: readonly string[]): Report {
  return {
    begin: ({ account, region, stack }) =>
      output.write(`Before a deployment of ${stack} to ${region} in the account ${account}\n\n`),
    found: (finding) => {
      const lines = 'fix' in finding ? faultLines(finding) : linesOf(finding);
      writeRow(output, { ...finding, lines }, names);
    },
    end: ({ findings }) => output.write(`\n${totals(findings)}\n`),
  };
}

function faultLines({ found, needed, fix }: Fault): readonly string[] {
  return [`found:  ${found}`, `needed: ${needed}`, `fix:    ${fix}`];
}

function totals(findings: readonly Finding[]): string {
  const denied = findings.some((each) => each.status === 'not-checked' && /permission/.test(each.reason));
  return [
    totalsOf(findings),
    ...(denied ? ['`npm run doctor -- --policy` prints the IAM policy with which all is checked.'] : []),
  ].join('\n');
}
