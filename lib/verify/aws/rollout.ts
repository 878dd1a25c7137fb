import type { Deployment, Service } from '@aws-sdk/client-ecs';

/** Where a service stands between what ran and what is to run. */
export interface Rollout {
  /** Tasks that the current deployment wants. */
  readonly wanted: number;
  /** Tasks of it that run. */
  readonly running: number;
  /** Tasks of the deployments before that still run. */
  readonly old: number;
  /** Another deployment's tasks are replaced, or the first ones start. */
  readonly isUnderWay: boolean;
  readonly startedAt: Date;
  /** When ECS last changed anything in it. */
  readonly changedAt: Date;
  /** ECS's words, when it gave a deployment up. */
  readonly failure: string | undefined;
}

export function rolloutOf({ deployments = [] }: Service): Rollout {
  const shown = deployments.filter(({ status }) => status !== 'INACTIVE');
  const current = shown.find(({ status }) => status === 'PRIMARY');
  const others = shown.filter((deployment) => deployment !== current);
  const { desiredCount = 0, runningCount = 0, createdAt = new Date(0) } = current ?? {};
  return {
    wanted: desiredCount,
    running: runningCount,
    old: others.reduce((sum, { runningCount: count = 0 }) => sum + count, 0),
    isUnderWay: others.length > 0 || current?.rolloutState === 'IN_PROGRESS',
    startedAt: createdAt,
    changedAt: current?.updatedAt ?? createdAt,
    failure: (shown.find(hasFailed) ?? shown.find(rollsBack))?.rolloutStateReason,
  };
}

const hasFailed = ({ rolloutState }: Deployment) => rolloutState === 'FAILED';

/** The circuit breaker's own deployment; the one that failed is not always marked meanwhile. */
const rollsBack = ({ rolloutStateReason = '' }: Deployment) => rolloutStateReason.includes('rolling back');

export function minutesSince(date: Date): number {
  return Math.floor((Date.now() - date.getTime()) / 60_000);
}
