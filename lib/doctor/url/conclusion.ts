import type { Fault, NamedFinding } from './check.ts';

/** The one cause that is to be mended first. */
export interface Conclusion {
  /** The check that saw it. */
  readonly name: string;
  readonly cause: string;
  readonly fix: string;
  /** Whether clients fail, or may. */
  readonly status: Fault['status'];
}

/** Whatever stands earlier explains what fails behind it. */
const foreignOrder = [
  ...['address', 'server', 'tls', 'http2', 'one-instance'],
  ...['polling', 'negotiate', 'websocket', 'hub-websocket', 'upgrade', 'event-stream'],
  ...['idle-timeout', 'hub-idle-timeout', 'redis', 'backplane', 'broadcast'],
  ...['cors', 'hub-cors', 'cookies', 'hub-cookies', 'polling-no-cookies', 'negotiate-no-cookies'],
];
/** This project's instances relay requests to each other over what Redis tells them: without it, sessions break. */
const ownOrder = ['address', 'redis', 'server', 'backplane'];

export function conclude(findings: readonly NamedFinding[], isOurs: boolean): Conclusion | undefined {
  const order = isOurs ? [...ownOrder, ...foreignOrder] : foreignOrder;
  const rank = ({ name }: NamedFinding) => order.indexOf(name);
  const faults = findings
    .filter((finding) => 'cause' in finding)
    .sort((one, other) => rank(one) - rank(other));
  const first = faults.find(({ status }) => status === 'failed') ?? faults[0];
  if (!first) return undefined;
  const { name, cause, fix, status } = first;
  return { name, cause, fix, status };
}
