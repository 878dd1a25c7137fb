import { CheckFailure, type Fault, NotProvedError } from '../../check.ts';
import { count } from '../../wording.ts';
import type { AwsClients } from '../aws-clients.ts';
import type { DeployedStack, StackCheck } from '../deployed-stack.ts';
import { readTasks } from '../tasks.ts';
import { type CallService, liveKitPart, readCallService, rolloutOf } from './call-service.ts';
import { type Minute, minuteMs, readMinutes } from './sidecar-metrics.ts';

/** How far to look back for any sample. */
const lookBackMinutes = 15;

/** Samples that are older than this are stale. CloudWatch usually shows a log's metrics within one or two minutes. */
const staleMinutes = 5;

/** Within three minutes each sidecar has written at least twice. */
const judgedMinutes = 3;

/** Each node logs at its start which Redis it uses, or that it uses none. */
const startLines = `--since 30d --filter-pattern '?"single-node" ?"connecting to redis"'`;

export const liveKitTasks: StackCheck = {
  name: 'livekit-tasks',
  title: 'Every LiveKit task that runs is a node that all others see in Redis',
  async run(stack, clients) {
    const liveKit = await readCallService(liveKitPart, stack, clients);
    if (!liveKit) throw new NotProvedError('the stack has no LiveKit');
    if (!stack.find('AWS::SSM::Parameter'))
      throw new NotProvedError('the stack has no Redis: its one node is alone by intent');
    const running = liveKit.service.runningCount ?? 0;
    if (running === 0) throw new CheckFailure(noTask(liveKit));
    const asked = { metric: 'LiveNodes', watched: liveKit.watched, minutes: lookBackMinutes } as const;
    const seen = seenIn(await readMinutes(asked, stack, clients));
    const found = `${count(running, 'task')} of LiveKit run, and ${describe(seen)}`;
    const isRecent = seen !== undefined && !isStale(seen);
    if (isRecent && seen.least === running && seen.most === running)
      return { proved: found, notProved: silentSidecars(running - seen.sidecars) };
    const since = isRecent ? seen.from : new Date(Date.now() - staleMinutes * minuteMs);
    await skipIfChanged(since, found, liveKit, stack, clients);
    if (!isRecent) throw new CheckFailure(silent(found, liveKit));
    if (rolloutOf(liveKit.service).isUnderWay)
      throw new NotProvedError(`${found}; a deployment is under way: look again when it has ended`);
    throw new CheckFailure(seen.least < running ? fewer(found, liveKit) : more(found));
  },
};

function describe(seen: SeenNodes | undefined): string {
  const silence = 'their sidecars write no LiveNodes';
  if (!seen) return `${silence}: none within ${lookBackMinutes} minutes`;
  const { least, most, to } = seen;
  if (isStale(seen)) return `${silence}: the last ${clock(to)}`;
  const nodes = least === most ? count(most, 'node') : `${least} to ${count(most, 'node')}`;
  return `each sidecar saw ${nodes} alive in Redis (${judgedMinutes} minutes until ${clock(to)})`;
}

function silentSidecars(sidecars: number): string[] {
  if (sidecars <= 0) return [];
  return [`what all nodes see: ${count(sidecars, 'sidecar')} wrote nothing`];
}

/** @throws NotProvedError if the metrics are of a time with more tasks, or fewer */
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
  throw new NotProvedError(`${found}; ${changes}: look again in ${staleMinutes} minutes`);
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

/** The time in UTC. */
const clock = (date: Date) => `${date.toISOString().slice(0, 16)}Z`;

/** The live nodes according to the latest samples of the sidecars. */
interface SeenNodes {
  /** The smallest number that a sidecar reports. */
  readonly least: number;
  /** The largest number that a sidecar reports. */
  readonly most: number;
  /** How many sidecars reported. */
  readonly sidecars: number;
  readonly from: Date;
  readonly to: Date;
}

/** @param minutes of `LiveNodes`, the newest first */
function seenIn(minutes: readonly Minute[]): SeenNodes | undefined {
  const [newest] = minutes;
  if (!newest) return undefined;
  const from = new Date(newest.at.getTime() - (judgedMinutes - 1) * minuteMs);
  const judged = minutes.filter(({ at }) => at >= from);
  return {
    least: Math.min(...judged.map(({ least }) => least)),
    most: Math.max(...judged.map(({ most }) => most)),
    sidecars: Math.max(...judged.map(({ samples }) => samples)),
    from,
    to: new Date(newest.at.getTime() + minuteMs),
  };
}

function isStale({ to }: SeenNodes): boolean {
  return Date.now() - to.getTime() > staleMinutes * minuteMs;
}

/** Tasks that started or stopped. */
interface TaskChanges {
  readonly started: number;
  /** Stopping tasks are included: a node runs until its calls have ended, and ECS does not count it any more. */
  readonly left: number;
}

/** @throws CheckFailure if they can't be read */
async function changesSince(
  since: Date,
  serviceName: string,
  stack: DeployedStack,
  clients: AwsClients,
): Promise<TaskChanges> {
  const [staying, leaving] = await Promise.all([
    readTasks(stack, clients, { serviceName }),
    readTasks(stack, clients, { serviceName, desiredStatus: 'STOPPED' }),
  ]);
  const started = staying.filter(({ startedAt }) => startedAt !== undefined && startedAt >= since);
  const left = leaving.filter(
    ({ startedAt, stoppedAt }) => startedAt !== undefined && (stoppedAt === undefined || stoppedAt >= since),
  );
  return { started: started.length, left: left.length };
}
