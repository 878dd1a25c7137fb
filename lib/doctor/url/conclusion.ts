import { type CheckName, checkNames, type Fault, type NamedFinding } from './check.ts';

/** The one cause that is to be mended first. */
export interface Conclusion {
  /** The check that saw it. */
  readonly name: CheckName;
  readonly cause: string;
  readonly fix: string;
  /** Whether clients fail, or may. */
  readonly status: Fault['status'];
}

/** This project's instances relay requests to each other over what Redis tells them: without it, sessions break. */
const ownOrder: readonly CheckName[] = ['address', 'redis', 'server', 'backplane'];

export function conclude(findings: readonly NamedFinding[], isOurs: boolean): Conclusion | undefined {
  const order = isOurs ? [...ownOrder, ...checkNames] : checkNames;
  const rank = ({ name }: NamedFinding) => order.indexOf(name);
  const faults = findings
    .filter((finding) => 'cause' in finding)
    .sort((one, other) => rank(one) - rank(other));
  const first = faults.find(({ status }) => status === 'failed') ?? faults[0];
  if (!first) return undefined;
  const { name, cause, fix, status } = first;
  return { name, cause, fix, status };
}
