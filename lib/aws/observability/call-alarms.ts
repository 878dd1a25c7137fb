import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Agent } from '../agent/agent.ts';
import type { LiveKit } from '../livekit/livekit.ts';
import { type AddAlarm, highest, lowest, oneMinute } from './alarm.ts';

/** Alarms on LiveKit's nodes or the voice agent's tasks, which keep calls. */
export function addCallAlarms(add: AddAlarm, service: LiveKit | Agent): void {
  const { id } = service.node;
  add(`${id}Shortage`, {
    after: service.service,
    runbook: 'Fewer tasks than asked for',
    meaning: `Fewer than ${service.minTasks} tasks of ${id} run.`,
    metric: service.metric('RunningTasks', highest),
    below: service.minTasks,
    points: [10, 10],
    noData: 'alarm',
    because: 'the sidecar of each task writes the metric once a minute',
  });
  // ECS protects at most as many tasks as the service wants. Calls on a task that it refuses may be cut.
  add(`${id}CallsUnprotected`, {
    after: service.service,
    runbook: 'A deployment waits for calls',
    meaning: `A task of ${id} has calls that ECS does not protect: more tasks are protected than the service wants (DEPLOYMENT_BLOCKED).`,
    metric: service.metric('DeploymentBlocked', highest),
    above: 0,
    points: [5, 6],
    noData: 'fine',
    because: 'sidecars that write no metrics are the alarm of missing tasks',
  });
}

/** A node that Redis does not know still serves calls, except those whose room is on another node. */
export function addNodeAlarms(add: AddAlarm, liveKit: LiveKit): void {
  const runbook = 'LiveKit nodes run alone';
  const difference = (expression: string, label: string) =>
    new cloudwatch.MathExpression({
      expression,
      label,
      period: oneMinute,
      usingMetrics: {
        tasks: liveKit.metric('RunningTasks', highest),
        nodes: liveKit.metric('LiveNodes', lowest),
      },
    });
  add('LiveKitAlone', {
    after: liveKit.service,
    runbook,
    meaning: 'Redis knows fewer live nodes than there are running tasks: some nodes run alone.',
    metric: difference('tasks - nodes', 'nodes that the others do not know'),
    above: 0,
    points: [5, 6],
    noData: 'alarm',
    because: 'the sidecar of each node writes the metric once a minute: no node runs, or none reaches Redis',
  });
  // ECS no longer counts a task that is stopping, and its node lives until its calls end or the timeout is over.
  const minutes = Math.ceil(liveKit.stopTimeout.toMinutes({ integral: false })) + 5;
  add('LiveKitStrangers', {
    after: liveKit.service,
    runbook,
    meaning:
      'Redis knows more live nodes than there are running tasks: another deployment uses the same Redis.',
    metric: difference('nodes - tasks', 'nodes that are not of this deployment'),
    above: 0,
    points: [minutes, minutes],
    noData: 'fine',
    because: 'that is the alarm of nodes that run alone',
  });
}
