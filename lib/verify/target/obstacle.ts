import { paths } from '../../../app/names.ts';
import { CannotVerifyError } from '../errors.ts';
import { type Patience, until } from '../wait.ts';
import { list } from '../wording.ts';
import { longestMs, untilServed } from './identify.ts';
import { askReadiness } from './readiness.ts';
import type { Target } from './target.ts';

/** Why checks can't be run any more. */
export interface Obstacle {
  readonly reason: string;
  readonly fix: string;
  /** Whether checks that use no rooms can run nevertheless. */
  readonly isOfRoomsAlone: boolean;
}

/**
 * Finds an obstacle that lasts some seconds: nothing answers at the URL, or an instance has lost its Redis. It waits,
 * because a proxy may get an instance again, and Redis a primary. Undefined if checks can go on, even with errors of
 * the service.
 */
export async function findObstacle(
  target: Target,
  { timeoutMs, signal }: Patience,
): Promise<Obstacle | undefined> {
  const patience = { timeoutMs: Math.min(timeoutMs, longestMs), signal };
  try {
    await untilServed(target.url, patience, () => true);
  } catch (error) {
    if (!(error instanceof CannotVerifyError)) throw error;
    return { reason: `nothing answers any more: ${error.message}`, fix: goneFix, isOfRoomsAlone: false };
  }
  let degraded: readonly string[] = [];
  const isOver = async () => {
    const replies = await askReadiness(target, patience.timeoutMs).catch(() => []);
    degraded = replies.filter(({ readiness }) => readiness === 'degraded').map(({ from }) => from);
    return degraded.length === 0;
  };
  if (await until(isOver, patience)) return undefined;
  const isProxy = degraded[0] === 'the proxy';
  const who = isProxy ? 'an instance behind the proxy' : list(degraded);
  const says = isProxy || degraded.length === 1 ? 'says' : 'say';
  return {
    reason: `Redis is away: ${who} ${says} degraded at ${paths.ready}`,
    fix: redisFix,
    isOfRoomsAlone: true,
  };
}

const goneFix = 'look in the log of what ran there; start it again, and run this again then';
const redisFix =
  "look whether Redis runs and answers PING, and in the instance's log; it joins Redis again by itself: run this again then";
