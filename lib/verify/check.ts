import type { Clients } from './clients.ts';
import type { Target } from './target.ts';

/** One thing that must hold for many instances to behave as one. */
export interface Check<B extends Background = Background> {
  /** What `--only` takes. */
  readonly name: CheckName;
  /** What holds when it passes, as a sentence without its full stop. */
  readonly title: string;
  /** Without these the check is skipped, with the reason. */
  readonly needs: readonly Need[];
  /** Begins with the run what takes a while, and goes on beside the other checks; `run` ends it. @default nothing */
  begin?(context: Context): B;
  /**
   * @param begun what `begin` returned
   * @throws CheckFailure when it does not hold, CheckSkip when there is nothing to prove
   */
  run(context: Context, begun?: B): Promise<Proof>;
}

export interface Background {
  /** Ends what is still under way. */
  close(): void;
}

/** Of a stack on AWS, where one is named. */
const stackCheckNames = [
  'cache-available',
  'cache-endpoint',
  'cache-settings',
  'cache-users',
  'tasks-after-rotation',
  'livekit-deployments',
  'livekit-tasks',
  'livekit-turn',
] as const;

/** Of LiveKit, where there is one. */
export const liveKitCheckNames = ['livekit-nodes', 'livekit-room', 'livekit-killed-node'] as const;

export const checkNames = [
  ...stackCheckNames,
  'instances',
  'polling',
  'websocket',
  'websocket-upgrade',
  'stickiness-cookie',
  'authorization',
  'delivery',
  'gap-detection',
  'repeated-id',
  'recovery',
  'ai-stream',
  'idle-timeout',
  'each-alone',
  'killed-instance',
  'joining-instance',
  'presence',
  ...liveKitCheckNames,
] as const;
export type CheckName = (typeof checkNames)[number];

/** `control`: may add, remove and kill instances. `another instance`: at least two are running. */
export type Need = 'control' | 'another instance';

export interface Proof {
  /** What was proved, in numbers. */
  readonly proved: string;
  /** What belongs to the check and could not be proved here, each with the reason. @default nothing */
  readonly notProved?: readonly string[];
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
  /** The checks before this one that failed. */
  readonly failed: readonly CheckName[];
  /** Wait for what takes minutes, too. */
  readonly long: boolean;
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

/** Found out on the way: the check has nothing to prove here. */
export class CheckSkip extends Error {
  override readonly name = 'CheckSkip';
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
