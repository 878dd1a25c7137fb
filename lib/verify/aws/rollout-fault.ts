import { mostDrainMinutes } from '../../../livekit/config/call-drain.ts';
import type { Fault } from '../check.ts';
import { count } from '../words.ts';
import type { CallService } from './call-service.ts';
import { minutesSince, type Rollout } from './rollout.ts';

/** What `mostDrainMinutes` leaves for new nodes to come up. */
const mostStartMinutes = 30;

/** A deployment that has failed or does not get on, or tasks that are missing without one. */
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
