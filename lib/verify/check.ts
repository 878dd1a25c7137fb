import type { Clients } from './clients.ts';
import type { Target } from './target.ts';

/** One thing that must hold for many instances to behave as one. */
export interface Check {
  /** What `--only` takes. */
  readonly name: CheckName;
  /** What holds when it passes, as a sentence without its full stop. */
  readonly title: string;
  /** Without these the check is skipped, with the reason. */
  readonly needs: readonly Need[];
  /** @throws CheckFailure when it does not hold */
  run(context: Context): Promise<Proof>;
}

export const checkNames = [
  'instances',
  'polling',
  'websocket',
  'delivery',
  'gap-detection',
  'repeated-id',
  'recovery',
  'killed-instance',
  'joining-instance',
] as const;
export type CheckName = (typeof checkNames)[number];

/** `control`: may add, remove and kill instances. `another instance`: at least two are running. */
export type Need = 'control' | 'another instance';

export interface Proof {
  /** What was proved, in numbers. */
  readonly proved: string;
}

export interface Load {
  /** Clients placed on each instance. */
  readonly clients: number;
  /** Messages that each client publishes. */
  readonly messages: number;
}

/** What a check works with. */
export interface Context {
  readonly target: Target;
  readonly load: Load;
  /** Longest wait for any one thing, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborted on Ctrl-C: whatever waits, stops. */
  readonly signal: AbortSignal;
  /** The check's own clients; closed when it ends. */
  readonly clients: Clients;
  /** Registers what puts the topology back; run when the check ends, however it ends, the last one first. */
  afterwards(undo: Undo): void;
}

export interface Undo {
  /** For example `remove the instance app-3`. */
  readonly what: string;
  run(): Promise<void>;
}

export interface Fault {
  /** What was seen, in numbers. */
  readonly found: string;
  /** The likely cause. */
  readonly cause: string;
  readonly fix: string;
}

/** A check does not hold. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.found);
    this.fault = fault;
  }
}
