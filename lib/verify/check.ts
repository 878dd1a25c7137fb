import type { Clients } from './clients/clients.ts';
import type { Tokens } from './clients/tokens.ts';
import type { Target } from './target/target.ts';

/** One property that many instances must have to behave as one. */
export interface Check<B extends Background = Background> {
  /** The name for `--only`. The lists in registry.ts register it. */
  readonly name: string;
  /** What is true when it passes, as a sentence without a full stop. */
  readonly title: string;
  /** What the check needs. Without these it is not run, and its result says so. */
  readonly needs: readonly Need[];
  /** Whether it joins no room and publishes nothing. Then it also runs while Redis is away. @default false */
  readonly worksWithoutRooms?: boolean;
  /**
   * Whether the number of instances matters. If such a check fails, `each-alone` tests each instance. @default false
   */
  readonly isOfSeveral?: boolean;
  /**
   * Starts, with the run, work that takes a while and goes on beside the other checks. `run` ends it. @default nothing
   */
  begin?(context: Context): B;
  /**
   * @param begun what `begin` returned
   * @throws CheckFailure if the property does not hold, NotProvedError if there is nothing to prove
   */
  run(context: Context, begun?: B): Promise<Proof>;
}

export interface Background {
  /** Ends work that is still under way. */
  close(): void;
}

/**
 * `control`: instances can be added, removed and killed. `another instance`: at least two are running. `backplane`:
 * more than one can run, because they share a Redis.
 */
export type Need = 'control' | 'another instance' | 'backplane';

export interface Proof {
  /** What was proved, in numbers. */
  readonly proved: string;
  /** Parts of the check that could not be proved here, each with the reason. @default nothing */
  readonly notProved?: readonly string[];
}

/** @returns what one instance can't prove, as entries of `notProved` */
export function unlessSeveral(instances: number, what: string): readonly string[] {
  return instances > 1 ? [] : [`${what}: one instance answers`];
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
  /** The tokens that clients send in their handshakes. */
  readonly tokens: Tokens;
  readonly load: Load;
  /** Longest wait for any one thing, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborted on Ctrl-C. Every wait ends then. */
  readonly signal: AbortSignal;
  /** The check's own clients. They are closed when it ends. */
  readonly clients: Clients;
  /** Checks of this run that have failed so far. */
  readonly failed: readonly Check[];
  /** Names of instances that checks of this run never reached. Later checks go on without them, and say so. */
  readonly unreached: Set<string>;
  /** Whether to run the parts that take minutes, too. */
  readonly long: boolean;
  /**
   * Registers an undo step for the topology. All steps run when the check ends, however it ends, the last one first.
   */
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

/** Thrown if it turns out that the check has nothing to prove here. */
export class NotProvedError extends Error {
  override readonly name = 'NotProvedError';
}

/** Thrown if a check fails. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.found);
    this.fault = fault;
  }
}
