import type { Background, Check } from './check.ts';
import type { Clients } from './clients/clients.ts';
import { Pacing } from './clients/pacing.ts';
import { clientsOf, type Plan, type Result, runCheck } from './run-check.ts';
import type { Obstacle } from './target/obstacle.ts';
import { readRoster } from './target/target.ts';

/** Called while the checks run. */
export interface Progress {
  started(check: Check): void;
  finished(result: Result): void;
}

/**
 * Runs the checks one after the other, later ones also if an earlier one fails. It ends early on Ctrl-C, and if
 * nothing answers any more.
 */
export async function runChecks(checks: readonly Check[], plan: Plan, progress: Progress): Promise<Result[]> {
  const results: Result[] = [];
  const failed: Check[] = [];
  const unreached = new Set<string>();
  const pacing = plan.pacing ?? new Pacing();
  let obstacle: Obstacle | undefined;
  let roster = await readRoster(plan.target);
  const backgrounds = new Backgrounds(checks, { ...plan, pacing });
  try {
    for (const check of checks) {
      if (plan.signal.aborted) break;
      progress.started(check);
      const occasion = { ...plan, pacing, failed, unreached, roster, begun: backgrounds.of(check) };
      const outcome =
        obstacle && !passes(check, obstacle) ? notRun(check, obstacle) : await runCheck(check, occasion);
      if (!outcome) break;
      const isFailed = outcome.status === 'failed';
      // After an obstacle every check would fail, after all its waits, and with a less useful message.
      const found = isFailed && !obstacle ? await plan.findObstacle?.().catch(() => undefined) : undefined;
      const result = redacted(explainedBy(found, outcome), plan.redact);
      results.push(result);
      progress.finished(result);
      if (isFailed) failed.push(check);
      obstacle ??= found;
      if (check.needs.includes('control')) roster = await readRoster(plan.target);
    }
  } finally {
    backgrounds.close();
  }
  return results;
}

function redacted(result: Result, redact = (words: string) => words): Result {
  return JSON.parse(JSON.stringify(result), (_key, value) =>
    typeof value === 'string' ? redact(value) : value,
  );
}

/** The cause that a check names is a guess. An obstacle that was found is certain. */
function explainedBy(obstacle: Obstacle | undefined, result: Result): Result {
  if (!obstacle || result.status !== 'failed') return result;
  return { ...result, cause: obstacle.reason, fix: obstacle.fix };
}

function passes({ worksWithoutRooms = false }: Check, { isOfRoomsAlone }: Obstacle): boolean {
  return isOfRoomsAlone && worksWithoutRooms;
}

function notRun({ name, title }: Check, { reason }: Obstacle): Result {
  return { name, title, ms: 0, status: 'not-proved', reason };
}

/** Work that goes on beside the checks. Each has clients of its own. */
class Backgrounds {
  readonly #begun = new Map<Check, Background>();
  readonly #clients: Clients[] = [];

  constructor(checks: readonly Check[], plan: Plan & { readonly pacing: Pacing }) {
    for (const check of checks) {
      if (!check.begin) continue;
      const clients = clientsOf(plan);
      this.#clients.push(clients);
      const nothingBefore = { failed: [], unreached: new Set<string>(), afterwards: () => undefined };
      this.#begun.set(check, check.begin({ ...plan, ...nothingBefore, long: plan.long ?? false, clients }));
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
