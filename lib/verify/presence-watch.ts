import { type Background, CheckFailure, type Context } from './check.ts';
import type { ContractClient } from './contract-client.ts';
import { falseLeaves, neverTold, toldAtOnce } from './explain-presence.ts';
import { type Stage, setStage, type View } from './presence-stage.ts';
import { until } from './wait.ts';

/** A leave that is told sooner than this would be told of everyone whose network blinks, in milliseconds. */
const shortestGraceMs = 1_000;
/** The grace is 10 s unless the service was given another, and some time passes until it is told to all. */
const leastPatienceMs = 15_000;

export interface PresenceSum {
  readonly instances: number;
  readonly members: number;
  /** They are fewer where clients share a user. */
  readonly users: number;
  /** Those that stay and are told. */
  readonly watchers: number;
  /** Users that went, and from then to when all were told; in milliseconds. */
  readonly gone: number;
  readonly toldAfterMs: number;
  /** From when they went to now, in milliseconds. */
  readonly sinceMs: number;
  /** `app-1 to app-2`; absent with one instance. */
  readonly move?: string;
}

/** A room whose members come, move and go, from the beginning of the run to its end. */
export class PresenceWatch implements Background {
  /** Resolves when everyone has come and moved, and those who go have gone. */
  readonly #staged: Promise<Stage>;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.#staged = setStage(context);
    this.#staged.catch(() => undefined);
  }

  /** Waits until all are told of those who went. @throws CheckFailure */
  async sum(): Promise<PresenceSum> {
    const { views, gone, goneAt, mover, move, instances, users } = await this.#staged;
    const watchers = views.filter(({ client }) => !gone.has(client));
    const subjects = [...new Set(gone.values())].filter((subject) => isOnlyOf(views, gone, subject));
    const isTold = ({ members }: View) => subjects.every((subject) => !members.includes(subject));
    const patienceMs = Math.max(this.#context.timeoutMs, leastPatienceMs) - (performance.now() - goneAt);
    const isDone = () => watchers.every(isTold) || toldFalsely(watchers, subjects).length > 0;
    await until(isDone, { ...this.#context, timeoutMs: patienceMs });
    refuseFalseLeaves(watchers, subjects, mover);
    const untold = watchers.filter((view) => !isTold(view));
    const sinceMs = performance.now() - goneAt;
    if (untold.length > 0) {
      const where = untold.map(({ client }) => client.instance);
      throw new CheckFailure(neverTold(sinceMs, where, watchers.length));
    }
    const times = watchers.flatMap(({ left }) =>
      subjects.map((subject) => (left.get(subject) ?? goneAt) - goneAt),
    );
    const soonest = Math.min(...times, Number.POSITIVE_INFINITY);
    if (soonest < shortestGraceMs) throw new CheckFailure(toldAtOnce(soonest));
    return {
      instances,
      members: views.length,
      users,
      watchers: watchers.length,
      gone: subjects.length,
      toldAfterMs: Math.max(0, ...times),
      sinceMs,
      ...(move === undefined ? {} : { move }),
    };
  }

  close(): void {
    this.#context.clients.closeAll();
  }
}

/** A user with another client in the room has not left it. */
function isOnlyOf(
  views: readonly View[],
  gone: ReadonlyMap<ContractClient, string>,
  subject: string,
): boolean {
  return views.every((view) => view.subject !== subject || gone.has(view.client));
}

function toldFalsely(watchers: readonly View[], gone: readonly string[]): readonly string[] {
  return watchers.flatMap(({ left }) => [...left.keys()].filter((subject) => !gone.includes(subject)));
}

/** @throws CheckFailure */
function refuseFalseLeaves(watchers: readonly View[], gone: readonly string[], mover: Stage['mover']): void {
  const told = toldFalsely(watchers, gone);
  if (told.length === 0) return;
  const moved = mover !== undefined && told.includes(mover.subject);
  throw new CheckFailure(falseLeaves(told.length, moved));
}
