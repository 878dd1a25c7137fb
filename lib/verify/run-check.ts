import {
  type Background,
  type Check,
  CheckFailure,
  type Context,
  type Fault,
  type Load,
  NotProvedError,
  type Proof,
  type Undo,
} from './check.ts';
import { Clients } from './clients/clients.ts';
import type { Pacing } from './clients/pacing.ts';
import type { Tokens } from './clients/tokens.ts';
import type { Obstacle } from './target/obstacle.ts';
import type { HubRoom } from './target/rooms-on-shards.ts';
import { describeRestarts, type Roster, readRoster, type Target } from './target/target.ts';
import { orAborted } from './wait.ts';

export type Result = { readonly name: string; readonly title: string; readonly ms: number } & Outcome;

export type Outcome =
  | ({ readonly status: 'passed' } & Proof)
  | ({ readonly status: 'failed' } & Fault)
  /** The check could not be run, or has nothing to prove here. */
  | { readonly status: 'not-proved'; readonly reason: string };

export interface Plan {
  readonly target: Target;
  readonly tokens: Tokens;
  readonly load: Load;
  /** Longest wait for any one thing, in milliseconds. */
  readonly timeoutMs: number;
  /** Wait for what takes minutes, too. @default false */
  readonly long?: boolean;
  /** Whether the service says that it has no Redis. @default false */
  readonly isSingleInstance?: boolean;
  readonly signal: AbortSignal;
  /** @default its own */
  readonly pacing?: Pacing;
  /** Called with each room that a check makes. @default nobody is */
  readonly onRoom?: ((room: HubRoom) => void) | undefined;
  /**
   * Finds what keeps later checks from being run, if anything. It is called when one has failed. @default nothing does
   */
  readonly findObstacle?: () => Promise<Obstacle | undefined>;
  /** Makes text of servers safe to print. @default it is printed as it is */
  readonly redact?: (words: string) => string;
}

/** What a check gets besides its own clients. */
export interface Occasion extends Plan {
  readonly pacing: Pacing;
  readonly failed: readonly Check[];
  readonly unreached: Set<string>;
  /** The instances at the beginning, or when checks last changed them. */
  readonly roster: Roster | undefined;
  readonly begun: Background | undefined;
}

type ClientsPlan = Pick<Occasion, 'target' | 'tokens' | 'timeoutMs' | 'pacing' | 'onRoom'>;

export function clientsOf({ target: { url }, tokens, timeoutMs, pacing, onRoom }: ClientsPlan): Clients {
  return new Clients({ url, timeoutMs, tokens, pacing, onRoom });
}

/** Undefined if it was interrupted. Its changes are undone nevertheless. */
export async function runCheck(check: Check, occasion: Occasion): Promise<Result | undefined> {
  const { name, title } = check;
  const start = performance.now();
  const before = check.begin ? occasion.roster : await readRoster(occasion.target);
  const outcome = await attempt(check, occasion);
  const ms = Math.round(performance.now() - start);
  if (outcome?.status !== 'failed' || check.needs.includes('control')) {
    return outcome && { name, title, ...outcome, ms };
  }
  const after = await readRoster(occasion.target);
  const restarts = before && after && describeRestarts(before, after);
  return { name, title, ...(restarts ? duringRestarts(outcome, restarts) : outcome), ms };
}

/** Instances were restarted by others, or crashed, during a check that changes nothing itself. */
function duringRestarts(outcome: Extract<Outcome, { status: 'failed' }>, restarts: string): Outcome {
  return {
    ...outcome,
    found: `${outcome.found}; meanwhile ${restarts}`,
    cause: 'instances were restarted or replaced during this check: somebody did so, or they crashed',
    fix: 'run this again when nothing is restarted; if nobody did, their logs say why they ended',
  };
}

async function attempt(check: Check, occasion: Occasion): Promise<Outcome | undefined> {
  const { signal, long = false } = occasion;
  const undos: Undo[] = [];
  const clients = clientsOf(occasion);
  const context: Context = { ...occasion, long, clients, afterwards: (undo) => undos.unshift(undo) };
  const without = [...occasion.unreached];
  let outcome: Outcome | undefined;
  try {
    const reason = await missing(check, occasion);
    outcome = reason
      ? { status: 'not-proved', reason }
      : passed(await orAborted(check.run(context, occasion.begun), signal), without);
  } catch (error) {
    outcome = signal.aborted ? undefined : outcomeOf(error);
  }
  clients.closeAll();
  const left = await putBack(undos);
  if (!left) return outcome;
  const both = outcome?.status === 'failed' ? { ...outcome, found: `${outcome.found}; ${left.found}` } : left;
  return { ...both, status: 'failed' };
}

function passed(proof: Proof, without: readonly string[]): Outcome {
  const notProved = without.map((id) => `with ${id}: it never answered, as a check before says`);
  return { status: 'passed', ...proof, notProved: [...(proof.notProved ?? []), ...notProved] };
}

/** The unmet need, in words. */
async function missing({ needs }: Check, plan: Plan): Promise<string | undefined> {
  const { control, withoutControl } = plan.target;
  if (needs.includes('control') && !control) {
    return withoutControl ?? 'it changes the topology, and there is no control of it';
  }
  if (needs.includes('backplane') && plan.isSingleInstance) {
    return 'the service runs without Redis (single-instance mode), so that one more instance would share nothing with it';
  }
  if (needs.includes('another instance') && control && (await control.instances()).length < 2) {
    return plan.isSingleInstance
      ? 'it needs at least two instances, and the service runs without Redis (single-instance mode)'
      : 'it needs at least two instances and one runs: start the topology with --instances 2';
  }
  return undefined;
}

async function putBack(undos: readonly Undo[]): Promise<Fault | undefined> {
  let fault: Fault | undefined;
  for (const { what, run } of undos) {
    try {
      await run();
    } catch (error) {
      fault = {
        found: `the topology could not be put back (${what}): ${(error as Error).message}`,
        cause: 'its control no longer answers, or an instance does not start',
        fix: 'look at the terminal where the topology runs; stop it and start it again',
      };
    }
  }
  return fault;
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof NotProvedError) return { status: 'not-proved', reason: error.message };
  return { status: 'failed', ...faultOf(error) };
}

/** An unexpected error fails the check, with the error's own message. */
function faultOf(error: unknown): Fault {
  if (error instanceof CheckFailure) return error.fault;
  const found = error instanceof Error ? error.message : String(error);
  return {
    found: `the check could not be finished: ${found}`,
    cause: 'the service, the proxy or the control answered in a way that this check does not know',
    fix: "look in the instances' and the proxy's logs at this moment, and run it again",
  };
}
