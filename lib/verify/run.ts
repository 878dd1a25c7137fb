import {
  type Background,
  type Check,
  CheckFailure,
  type CheckName,
  CheckSkip,
  type Context,
  type Fault,
  type Load,
  type Proof,
  type Undo,
} from './check.ts';
import { Clients } from './clients.ts';
import { Pace } from './pace.ts';
import type { Target } from './target.ts';
import { orAborted } from './wait.ts';

interface Timed {
  readonly name: CheckName;
  readonly title: string;
  /** In milliseconds. */
  readonly ms: number;
}

export type Result =
  | (Timed & { readonly status: 'passed' } & Proof)
  | (Timed & { readonly status: 'failed' } & Fault)
  | (Timed & { readonly status: 'skipped'; readonly reason: string });

export interface Plan {
  readonly target: Target;
  readonly load: Load;
  /** Longest wait for any one thing, in milliseconds. */
  readonly timeoutMs: number;
  /** Wait for what takes minutes, too. @default false */
  readonly long?: boolean;
  readonly signal: AbortSignal;
}

/** Called as the checks go. */
export interface Progress {
  started(check: Check): void;
  finished(result: Result): void;
}

/** Runs the checks one after the other, the later ones also when an earlier one fails; ends early on Ctrl-C. */
export async function runChecks(checks: readonly Check[], plan: Plan, progress: Progress): Promise<Result[]> {
  const results: Result[] = [];
  const pace = new Pace();
  const backgrounds = new Backgrounds(checks, plan, pace);
  try {
    for (const check of checks) {
      if (plan.signal.aborted) break;
      progress.started(check);
      const failed = results.filter(({ status }) => status === 'failed').map(({ name }) => name);
      const result = await runCheck(check, { ...plan, pace, failed, begun: backgrounds.of(check) });
      if (!result) break;
      results.push(result);
      progress.finished(result);
    }
  } finally {
    backgrounds.close();
  }
  return results;
}

/** What a check is given beside its own clients. */
interface Occasion extends Plan {
  readonly pace: Pace;
  readonly failed: readonly CheckName[];
  readonly begun: Background | undefined;
}

/** What goes on beside the checks; each has clients of its own. */
class Backgrounds {
  readonly #begun = new Map<Check, Background>();
  readonly #clients: Clients[] = [];

  constructor(checks: readonly Check[], plan: Plan, pace: Pace) {
    for (const check of checks) {
      if (!check.begin) continue;
      const clients = clientsOf(plan, pace);
      this.#clients.push(clients);
      const context = { ...plan, long: plan.long ?? false, failed: [], clients, afterwards: () => undefined };
      this.#begun.set(check, check.begin(context));
    }
  }

  of(check: Check): Background | undefined {
    return this.#begun.get(check);
  }

  close(): void {
    for (const begun of this.#begun.values()) begun.close();
    for (const clients of this.#clients) clients.closeAll();
  }
}

function clientsOf({ target, timeoutMs }: Plan, pace: Pace): Clients {
  return new Clients(target.url, timeoutMs, target.tokens, pace);
}

/** Nothing when it was interrupted; what it changed is put back all the same. */
async function runCheck(check: Check, plan: Occasion): Promise<Result | undefined> {
  const { name, title } = check;
  const start = performance.now();
  const outcome = await attempt(check, plan);
  const ms = Math.round(performance.now() - start);
  return outcome && { name, title, ...outcome, ms };
}

type Outcome =
  | ({ readonly status: 'passed' } & Proof)
  | ({ readonly status: 'failed' } & Fault)
  | { readonly status: 'skipped'; readonly reason: string };

async function attempt(check: Check, plan: Occasion): Promise<Outcome | undefined> {
  const undos: Undo[] = [];
  const clients = clientsOf(plan, plan.pace);
  const context: Context = {
    ...plan,
    long: plan.long ?? false,
    clients,
    afterwards: (undo) => undos.unshift(undo),
  };
  let outcome: Outcome | undefined;
  try {
    const reason = await reasonToSkip(check, plan.target);
    outcome = reason
      ? { status: 'skipped', reason }
      : { status: 'passed', ...(await orAborted(check.run(context, plan.begun), plan.signal)) };
  } catch (error) {
    outcome = plan.signal.aborted ? undefined : outcomeOf(error);
  }
  clients.closeAll();
  const left = await putBack(undos);
  if (!left) return outcome;
  const both = outcome?.status === 'failed' ? { ...outcome, found: `${outcome.found}; ${left.found}` } : left;
  return { ...both, status: 'failed' };
}

async function reasonToSkip(
  { needs }: Check,
  { control, withoutControl }: Target,
): Promise<string | undefined> {
  if (needs.includes('control') && !control) {
    return withoutControl ?? 'it changes the topology, and there is no control of it';
  }
  if (needs.includes('another instance') && control && (await control.instances()).length < 2) {
    return 'it needs at least two instances and one runs: start the topology with --instances 2';
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
  if (error instanceof CheckSkip) return { status: 'skipped', reason: error.message };
  return { status: 'failed', ...faultOf(error) };
}

/** Whatever a check did not foresee fails it, in the error's own words. */
function faultOf(error: unknown): Fault {
  if (error instanceof CheckFailure) return error.fault;
  const found = error instanceof Error ? error.message : String(error);
  return {
    found: `the check could not be finished: ${found}`,
    cause: 'the service, the proxy or the control answered in a way that this check does not know',
    fix: "look in the instances' and the proxy's logs at this moment, and run it again",
  };
}
