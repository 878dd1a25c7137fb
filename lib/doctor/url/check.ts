import type { NotChecked, Passed } from '../finding.ts';
import type { Probes } from './probes.ts';
import type { Subject } from './subject.ts';

/** What one check saw. */
export type Finding = Passed | Fault | NotChecked;

/** `failed` stops clients. `warned` stops some of them, or will some day. */
export interface Fault {
  readonly status: 'failed' | 'warned';
  readonly found: string;
  readonly cause: string;
  readonly fix: string;
}

/** All checks by name. Whatever stands earlier explains what fails behind it. */
export const checkNames = [
  'address',
  'server',
  'tls',
  'http2',
  'one-instance',
  'polling',
  'negotiate',
  'websocket',
  'hub-websocket',
  'upgrade',
  'event-stream',
  'idle-timeout',
  'hub-idle-timeout',
  'redis',
  'backplane',
  'broadcast',
  'cors',
  'hub-cors',
  'cookies',
  'hub-cookies',
  'polling-no-cookies',
  'negotiate-no-cookies',
] as const;

export type CheckName = (typeof checkNames)[number];

export type NamedFinding = Finding & { readonly name: CheckName };

export const failed = (fault: Omit<Fault, 'status'>): Fault => ({ status: 'failed', ...fault });
export const warned = (fault: Omit<Fault, 'status'>): Fault => ({ status: 'warned', ...fault });

/** One property of a server that its clients need. It changes nothing there. */
export interface Check {
  readonly name: CheckName;
  /** @default whatever the subject is */
  applies?(subject: Subject): boolean;
  run(subject: Subject, probes: Probes): Promise<Finding>;
}
