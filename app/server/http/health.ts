import type { FastifyInstance } from 'fastify';
import { paths } from '../../names.ts';
import type { BackplaneStatus, ShardCounts } from '../redis/backplane.ts';

export type Readiness = 'ok' | 'single-instance' | 'starting' | 'degraded' | 'draining';

export interface ReadinessFacts {
  readonly draining: boolean;
  /** `BACKPLANE=preferred`: clients are taken before the backplane was joined, too. */
  readonly servesAlone: boolean;
  /** Who may not be let in is known. */
  readonly knowsDenials: boolean;
}

/**
 * Losing Redis after the first join stays 200: ECS replaces tasks whose target-group check fails, so a 503
 * would turn one failover of Redis into the death of every task.
 */
export function readinessOf(
  backplane: BackplaneStatus,
  { draining, servesAlone, knowsDenials }: ReadinessFacts,
): Readiness {
  if (draining) return 'draining';
  if (!knowsDenials) return 'starting';
  if (backplane === 'starting' && servesAlone) return 'degraded';
  return backplane === 'joined' ? 'ok' : backplane;
}

export function statusCodeOf(readiness: Readiness): 200 | 503 {
  return readiness === 'starting' || readiness === 'draining' ? 503 : 200;
}

/**
 * `/health/live`: the process answers. `/health/ready`: send it clients. Public, so the status alone, and of a cluster how
 * many of its shards are as they should be.
 */
export function serveHealth(
  http: FastifyInstance,
  readiness: () => Readiness,
  shards: () => ShardCounts | undefined,
): void {
  http.get(paths.live, async () => ({ status: 'ok' }));
  http.get(paths.ready, async (_request, reply) => {
    const status = readiness();
    return reply
      .code(statusCodeOf(status))
      .header('cache-control', 'no-store')
      .send({ status, shards: shards() });
  });
}
