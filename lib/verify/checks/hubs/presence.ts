import { type Background, type Check, CheckFailure, type Context, unlessSeveral } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import { until } from '../../wait.ts';
import { count, duration } from '../../wording.ts';
import { falseLeaves, neverNotified, notifiedAtOnce } from './explain-presence.ts';
import { playScenario, type Scenario, type View } from './presence-scenario.ts';

interface Expectations {
  /** A leave that shows sooner than this would show of everyone whose network blinks. @default 1000 */
  readonly shortestGraceMs?: number;
  /**
   * A leave that does not show by then is a fault, unless the longest wait of the run is longer.
   * @default 15000: the service's grace is 10 s by default, and some time passes until all are notified
   */
  readonly patienceMs?: number;
}

export const presence = presenceCheck();

/** The check, with what it expects of the service. */
export function presenceCheck(expectations: Expectations = {}): Check<PresenceWatch> {
  const watch = (context: Context) => new PresenceWatch(context, expectations);
  return {
    name: 'presence',
    title: 'Everyone sees who is in a room, and who left it, on whichever instance',
    needs: [],
    // A leave is reported late, by design. In the background this costs no extra time.
    begin: watch,
    run: async (context, begun = watch(context)) => {
      const report = await begun.report();
      begun.close();
      return {
        proved: describe(report),
        notProved: [
          ...(report.gone > 0 ? [] : ['that a leave shows: the token given makes all clients one user']),
          ...unlessSeveral(report.instances, 'that a move to another instance is no leave'),
        ],
      };
    },
  };
}

interface PresenceReport {
  readonly instances: number;
  readonly members: number;
  /** Fewer than the members if clients share a user. */
  readonly users: number;
  /** The clients that stay and are notified. */
  readonly watchers: number;
  /** The number of users that left, and the time until all were notified; in milliseconds. */
  readonly gone: number;
  readonly notifiedAfterMs: number;
  /** The time since they left, in milliseconds. */
  readonly sinceMs: number;
  /** For example `app-1 to app-2`. Absent with one instance. */
  readonly move?: string;
}

function describe(report: PresenceReport): string {
  const { instances, members, users, watchers, gone, notifiedAfterMs, sinceMs, move } = report;
  const all = `${count(members, 'client')}${users < members ? ` of ${count(users, 'user')}` : ''}`;
  return [
    `${all} on ${count(instances, 'instance')} see one another`,
    gone > 0
      ? `all ${watchers} notified of ${count(gone, 'user')} that went within ${duration(notifiedAfterMs)}`
      : `one whose other clients stay not shown as left for ${duration(sinceMs)}`,
    ...(move === undefined ? [] : [`one that moved (${move}) not shown as left`]),
  ].join('; ');
}

/** A room whose members join, move and leave, from the beginning of the run to its end. */
class PresenceWatch implements Background {
  /** Resolves when all clients have joined and moved, and those that leave have left. */
  readonly #played: Promise<Scenario>;
  readonly #context: Context;
  readonly #patienceMs: number;
  readonly #shortestGraceMs: number;

  constructor(context: Context, { patienceMs = 15_000, shortestGraceMs = 1_000 }: Expectations) {
    this.#context = context;
    this.#patienceMs = Math.max(context.timeoutMs, patienceMs);
    this.#shortestGraceMs = shortestGraceMs;
    this.#played = playScenario(context);
    this.#played.catch(() => undefined);
  }

  /** Waits until all are notified of the users that left. @throws CheckFailure */
  async report(): Promise<PresenceReport> {
    const { views, gone, goneAt, mover, move, instances, users } = await this.#played;
    const watchers = views.filter(({ client }) => !gone.has(client));
    const subjects = [...new Set(gone.values())].filter((subject) => isOnlyOf(views, gone, subject));
    const isNotified = ({ members }: View) => subjects.every((subject) => !members.includes(subject));
    const timeoutMs = goneAt + this.#patienceMs - performance.now();
    const isDone = () => watchers.every(isNotified) || leavesOfOthers(watchers, subjects).length > 0;
    await until(isDone, { ...this.#context, timeoutMs });
    assertNoFalseLeaves(watchers, subjects, mover);
    const unaware = watchers.filter((view) => !isNotified(view));
    const sinceMs = performance.now() - goneAt;
    if (unaware.length > 0) {
      const where = unaware.map(({ client }) => client.instance);
      throw new CheckFailure(neverNotified(sinceMs, where, watchers.length));
    }
    const times = watchers.flatMap(({ left }) =>
      subjects.map((subject) => (left.get(subject) ?? goneAt) - goneAt),
    );
    const soonest = Math.min(...times, Number.POSITIVE_INFINITY);
    if (soonest < this.#shortestGraceMs) throw new CheckFailure(notifiedAtOnce(soonest));
    return {
      instances,
      members: views.length,
      users,
      watchers: watchers.length,
      gone: subjects.length,
      notifiedAfterMs: Math.max(0, ...times),
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

/** Users that were reported as left and are there. */
function leavesOfOthers(watchers: readonly View[], gone: readonly string[]): readonly string[] {
  return watchers.flatMap(({ left }) => [...left.keys()].filter((subject) => !gone.includes(subject)));
}

/** @throws CheckFailure */
function assertNoFalseLeaves(
  watchers: readonly View[],
  gone: readonly string[],
  mover: Scenario['mover'],
): void {
  const leaves = leavesOfOthers(watchers, gone);
  if (leaves.length === 0) return;
  const moved = mover !== undefined && leaves.includes(mover.subject);
  throw new CheckFailure(falseLeaves(leaves.length, moved));
}
