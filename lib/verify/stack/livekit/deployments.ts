import type { SidecarMetric } from '../../../../livekit/sidecar/names.ts';
import { CheckFailure, NotProvedError } from '../../check.ts';
import { count } from '../../wording.ts';
import type { AwsClients } from '../aws-clients.ts';
import type { DeployedStack, StackCheck } from '../deployed-stack.ts';
import {
  agentPart,
  type CallService,
  liveKitPart,
  minutesSince,
  type Rollout,
  readCallService,
  rolloutFault,
  rolloutOf,
} from './call-service.ts';
import { type Minute, readMinutes } from './sidecar-metrics.ts';

/** Time for each sidecar to write its metrics, and for them to arrive. */
const lastMinutes = 5;

/** `ReadOnlyAccess` lacks ecs:GetTaskProtection, so protection is read from the sidecars' metrics. */
export const liveKitDeployments: StackCheck = {
  name: 'livekit-deployments',
  title: 'LiveKit and the agent run as deployed, or a deployment gets on',
  async run(stack, clients) {
    const read = await Promise.all(
      [liveKitPart, agentPart].map((part) => readCallService(part, stack, clients)),
    );
    const services = read.filter((service) => service !== undefined);
    if (services.length === 0) throw new NotProvedError('the stack has no LiveKit');
    const faults = services.flatMap((service) => rolloutFault(service, rolloutOf(service.service)) ?? []);
    const [first] = faults;
    // Later faults follow from this one.
    if (first) throw new CheckFailure({ ...first, found: faults.map(({ found }) => found).join('; ') });
    const proofs = await Promise.all(services.map((service) => prove(service, stack, clients)));
    return {
      proved: proofs.map(({ proved }) => proved).join('; '),
      notProved: proofs.flatMap(({ notProved }) => notProved),
    };
  },
};

async function prove(callService: CallService, stack: DeployedStack, clients: AwsClients) {
  const { name, watched } = callService;
  const minutesOf = (metric: SidecarMetric) =>
    readMinutes({ metric, watched, minutes: lastMinutes }, stack, clients);
  const [protection, blocked] = await Promise.all([minutesOf('Protected'), minutesOf('DeploymentBlocked')]);
  const rollout = rolloutOf(callService.service);
  return {
    proved: `${name}: ${describe(rollout, highest(protection, 'sum'))}`,
    notProved: [
      ...(protection.length > 0 ? [] : [`that calls of ${name} are protected: ${silent}`]),
      ...(highest(blocked, 'most') > 0 ? [`that each call of ${name} is protected: ${unprotected}`] : []),
    ],
  };
}

const silent = `no sidecar has written a metric within the last ${lastMinutes} minutes`;
const unprotected = `within the last ${lastMinutes} minutes ECS refused to protect a task (DEPLOYMENT_BLOCKED), as more are protected than the service wants; until others are let go, its calls have no more than the stop timeout`;

function describe({ isUnderWay, running, wanted, old, startedAt }: Rollout, kept: number): string {
  if (!isUnderWay) return `${running} of ${count(wanted, 'task')} run`;
  if (old === 0) return `${running} of ${count(wanted, 'task')} run so far`;
  const waits = `; ${count(kept, 'task')} protected by calls, for which it waits maxCallDrainMinutes at most`;
  const tasks = `${running} of ${count(wanted, 'new task')} run, ${count(old, 'old one')} still there`;
  return `a deployment began ${count(minutesSince(startedAt), 'minute')} ago: ${tasks}${kept > 0 ? waits : ''}`;
}

/** Each sidecar writes once a minute, and sometimes skips one. So the minute with the most samples has all of them. */
function highest(minutes: readonly Minute[], what: 'most' | 'sum'): number {
  return Math.max(0, ...minutes.map((minute) => minute[what]));
}
