import type { Deployment, Service } from '@aws-sdk/client-ecs';
import { mostDrainMinutes } from '../../../../livekit/config/call-drain.ts';
import { type WatchedService, watchedService } from '../../../../livekit/sidecar/names.ts';
import { CheckFailure, type Fault } from '../../check.ts';
import { count } from '../../wording.ts';
import { type AwsClients, explainRejection } from '../aws-clients.ts';
import type { DeployedStack } from '../deployed-stack.ts';

/** A service whose tasks have calls. Each task has a sidecar that protects them. */
export interface CallService {
  readonly name: string;
  /** The value of the dimension `Service` in the metrics of its sidecars. */
  readonly watched: WatchedService;
  readonly service: Service;
  /** A command that shows the service's latest events. */
  readonly events: string;
  /** A command that shows the log of a container of its tasks. @param options as `aws logs tail` takes them */
  log(container: string, options?: string): string;
}

interface CallPart extends Pick<CallService, 'name' | 'watched'> {
  /** The beginning of the logical ids of its resources. */
  readonly construct: string;
}

/** Media nodes. */
export const liveKitPart: CallPart = { construct: 'LiveKit', name: 'LiveKit', watched: watchedService.node };

/** Workers of the voice agent. */
export const agentPart: CallPart = { construct: 'Agent', name: 'the agent', watched: watchedService.agent };

/**
 * Undefined if the stack has no such service.
 * @throws CheckFailure if it can't be read
 */
export async function readCallService(
  { construct, name, watched }: CallPart,
  stack: DeployedStack,
  { ecs }: AwsClients,
): Promise<CallService | undefined> {
  const idOf = (resourceType: string, idBegin: string) =>
    stack.resources.find(({ type, logicalId }) => type === resourceType && logicalId.startsWith(idBegin))
      ?.physicalId;
  const arn = idOf('AWS::ECS::Service', `${construct}Service`);
  const cluster = stack.find('AWS::ECS::Cluster')?.physicalId;
  if (!arn || !cluster) return undefined;
  const { DescribeServicesCommand } = await import('@aws-sdk/client-ecs');
  const response = await ecs
    .send(new DescribeServicesCommand({ cluster, services: [arn] }))
    .catch((error: unknown) => {
      throw explainRejection(error, `the service ${arn}`);
    });
  const service = response.services?.find(({ status }) => status === 'ACTIVE');
  if (!service) throw new CheckFailure(goneOf(name, arn));
  const logGroup = idOf('AWS::Logs::LogGroup', `${construct}Logs`);
  return {
    name,
    watched,
    service,
    events: `\`aws ecs describe-services --cluster ${cluster} --services ${service.serviceName} --query 'services[0].events[:9].message'\``,
    log: (container, options = '--since 1h') =>
      `\`aws logs tail ${logGroup} --log-stream-name-prefix ${container}/ ${options}\``,
  };
}

function goneOf(name: string, arn: string) {
  return {
    found: `no service ${arn} of ${name}`,
    cause: 'it was deleted outside of CloudFormation',
    fix: '`npx cdk deploy -c liveKitNodes=0`, then `npx cdk deploy`',
  };
}

/** The progress of a service's deployment. */
export interface Rollout {
  /** Tasks that the current deployment wants. */
  readonly wanted: number;
  /** Tasks of the current deployment that run. */
  readonly running: number;
  /** Tasks of earlier deployments that still run. */
  readonly old: number;
  /** Whether tasks of another deployment are being replaced, or the first ones start. */
  readonly isUnderWay: boolean;
  readonly startedAt: Date;
  /** When ECS last changed something in it. */
  readonly changedAt: Date;
  /** ECS's message if it gave a deployment up. */
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

/** The deployment of the circuit breaker. The failed one is not always marked meanwhile. */
const rollsBack = ({ rolloutStateReason = '' }: Deployment) => rolloutStateReason.includes('rolling back');

export function minutesSince(date: Date): number {
  return Math.floor((Date.now() - date.getTime()) / 60_000);
}

/** The minutes that `mostDrainMinutes` leaves for new nodes to start. */
const mostStartMinutes = 30;

/** Explains a deployment that has failed or makes no progress, or tasks that are missing without one. */
export function rolloutFault({ name, events, log }: CallService, rollout: Rollout): Fault | undefined {
  const { failure, isUnderWay, running, wanted, old } = rollout;
  const tasks = `${running} of ${count(wanted, 'task')}`;
  if (failure !== undefined)
    return {
      found: `${name}: ${failure}`,
      cause: 'tasks of the new deployment ended, or did not become healthy',
      fix: `${events} says which and why; the tasks before them serve on: mend it, then \`npx cdk deploy\``,
    };
  if (!isUnderWay && running < wanted)
    return {
      found: `${name}: ${tasks} run, and no deployment is under way`,
      cause: 'a task has ended and the next one has not come yet, or there is no room for it',
      fix: `${events} says why; look again in some minutes`,
    };
  if (running < wanted && minutesSince(rollout.changedAt) > mostStartMinutes)
    return {
      found: `${name}: ${tasks} of a deployment run, and nothing has changed for ${minutesIn(rollout.changedAt)}`,
      cause: 'there is no room for the others: each LiveKit node needs a host, beside those of the old ones',
      fix: `${events} says what is missing; the old tasks serve on`,
    };
  if (old > 0 && minutesSince(rollout.startedAt) > mostDrainMinutes)
    return {
      found: `${name}: ${count(old, 'old task')} still there, ${minutesIn(rollout.startedAt)} after a deployment began`,
      cause: 'its sidecar does not see the deployment, and renews the protection of its calls without end',
      fix: `${log('sidecar')} says what it lacks; \`aws ecs update-task-protection --no-protection-enabled\` lets the task go, with its calls`,
    };
  return undefined;
}

const minutesIn = (date: Date) => count(minutesSince(date), 'minute');
