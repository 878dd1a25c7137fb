import { CheckFailure, CheckSkip, type Fault } from '../check.ts';
import { count } from '../words.ts';
import { type CallService, liveKitPart, readCallService } from './call-service.ts';
import type { AwsClients } from './clients.ts';
import type { DeployedStack } from './deployed-stack.ts';
import { rolloutOf } from './rollout.ts';
import { isStale, judgedMinutes, type SeenNodes, seenIn, staleMinutes } from './seen-nodes.ts';
import { minuteMs, readMinutes } from './sidecar-metrics.ts';
import type { StackCheck } from './stack-check.ts';
import { changesSince } from './task-changes.ts';

/** To look back for anything at all. */
const lookBackMinutes = 15;

/** What each node says at its start: which Redis it uses, or that it uses none. */
const startLines = `--since 30d --filter-pattern '?"single-node" ?"connecting to redis"'`;

export const liveKitTasks: StackCheck = {
  name: 'livekit-tasks',
  title: 'Every LiveKit task that runs is a node that all others see in Redis',
  async run(stack, clients) {
    const liveKit = await readCallService(liveKitPart, stack, clients);
    if (!liveKit) throw new CheckSkip('the stack has no LiveKit');
    if (!stack.find('AWS::SSM::Parameter'))
      throw new CheckSkip('the stack has no Redis: its one node is alone by intent');
    const running = liveKit.service.runningCount ?? 0;
    if (running === 0) throw new CheckFailure(noTask(liveKit));
    const asked = { metric: 'LiveNodes', watched: liveKit.watched, minutes: lookBackMinutes } as const;
    const seen = seenIn(await readMinutes(asked, stack, clients));
    const found = `${count(running, 'task')} of LiveKit run, and ${tell(seen)}`;
    const isTold = seen !== undefined && !isStale(seen);
    if (isTold && seen.least === running && seen.most === running)
      return { proved: found, notProved: untold(running - seen.sidecars) };
    const since = isTold ? seen.from : new Date(Date.now() - staleMinutes * minuteMs);
    await skipIfChanged(since, found, liveKit, stack, clients);
    if (!isTold) throw new CheckFailure(silent(found, liveKit));
    if (rolloutOf(liveKit.service).isUnderWay)
      throw new CheckSkip(`${found}; a deployment is under way: look again when it has ended`);
    throw new CheckFailure(seen.least < running ? fewer(found, liveKit) : more(found));
  },
};

function tell(seen: SeenNodes | undefined): string {
  const silence = 'their sidecars write no LiveNodes';
  if (!seen) return `${silence}: none within ${lookBackMinutes} minutes`;
  const { least, most, to } = seen;
  if (isStale(seen)) return `${silence}: the last ${clock(to)}`;
  const nodes = least === most ? count(most, 'node') : `${least} to ${count(most, 'node')}`;
  return `each sidecar saw ${nodes} alive in Redis (${judgedMinutes} minutes until ${clock(to)})`;
}

function untold(sidecars: number): string[] {
  if (sidecars <= 0) return [];
  return [`what all nodes see: ${count(sidecars, 'sidecar')} told nothing`];
}

/** @throws CheckSkip when the metrics tell of a time with more tasks, or fewer */
async function skipIfChanged(
  since: Date,
  found: string,
  { service: { serviceName = '' } }: CallService,
  stack: DeployedStack,
  clients: AwsClients,
): Promise<void> {
  const { started, left } = await changesSince(since, serviceName, stack, clients);
  if (started + left === 0) return;
  const changes = `since ${clock(since)} ${count(started, 'task')} started and ${left} ended or is about to`;
  throw new CheckSkip(`${found}; ${changes}: look again in ${staleMinutes} minutes`);
}

function noTask({ service: { desiredCount = 0 }, events }: CallService): Fault {
  return {
    found: `no task of LiveKit runs, ${desiredCount} are wanted`,
    cause: 'none can start: no host, no image, or a secret that can’t be read',
    fix: `${events} says why`,
  };
}

function silent(found: string, { log }: CallService): Fault {
  return {
    found,
    cause: 'no sidecar reaches Redis or may read the hash `nodes`, or none runs, or none can write its log',
    fix: `${log('sidecar')} says which; where it is empty, look at the container \`sidecar\` of the tasks`,
  };
}

function fewer(found: string, { log }: CallService): Fault {
  return {
    found,
    cause:
      'a node runs alone, and rooms on it are missing on the others: its Redis stands in a variable that LiveKit does not know (only LIVEKIT_CONFIG counts), is another one, or can’t be reached',
    fix: `${log('livekit', startLines)} says what each node got; then deploy it anew: a node that is alone keeps its calls until they end`,
  };
}

function more(found: string): Fault {
  return {
    found,
    cause:
      'another deployment’s nodes use the same Redis: LiveKit’s keys have no prefix, and rooms go to those',
    fix: 'give each deployment a Redis of its own (`backplane`, `redisAddress`); the hash `nodes` has the address of each',
  };
}

/** In UTC. */
const clock = (date: Date) => `${date.toISOString().slice(0, 16)}Z`;
