import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Edge } from '../edge/edge.ts';
import type { RealtimeService } from '../service/realtime-service.ts';
import { type AddAlarm, fiveMinutes, highest, oneMinute, total } from './alarm.ts';

const tasksAreWatched = 'tasks that write no metrics are the alarm of tasks';

/** Alarms on the tasks of the service, and on what its clients notice. */
export function addServiceAlarms(add: AddAlarm, service: RealtimeService): void {
  const { running, minTasks } = service;
  add('UnhealthyTargets', {
    after: running,
    runbook: 'Instances are not ready',
    meaning: 'A task fails its health check: it never joined Redis, hangs, or does not listen.',
    metric: service.metricUnhealthyTasks(highest),
    above: 0,
    points: [3, 5],
    noData: 'fine',
    because: 'the metric exists while there are targets; their absence is the alarm of tasks',
  });
  // A service that was stopped on purpose lacks nothing.
  if (minTasks > 0) addShortageAlarm(add, service);
  addReconnectAlarm(add, service);
  add('SlowResponses', {
    after: running,
    runbook: 'Requests are slow',
    meaning: 'Three of four requests wait for more than a second until a task begins to respond.',
    // Long polls wait for up to 25 s by design, and each of them comes with a POST. A quarter of the requests is fast
    // whatever the clients' transports are.
    metric: service.metricResponseTime({ statistic: 'p25', period: fiveMinutes }),
    above: 1,
    points: [2, 3],
    noData: 'fine',
    because: 'there were no requests; WebSockets that are open make none',
  });
  add('LateDeliveries', {
    after: running,
    runbook: 'Messages arrive late',
    meaning: 'One message of a hundred takes more than a second from its publish to its delivery.',
    metric: service.metric('PublishToDelivery', { statistic: 'p99', period: fiveMinutes }),
    above: 1_000,
    points: [2, 3],
    noData: 'fine',
    because: 'there were no messages; publishes that fail are other alarms',
  });
}

function addShortageAlarm(add: AddAlarm, service: RealtimeService): void {
  const { running, minTasks } = service;
  add('TaskShortage', {
    after: running,
    runbook: 'Fewer tasks than asked for',
    meaning: `Fewer than ${minTasks} tasks are healthy.`,
    // Each node of the load balancer reports. The maximum fires only when all of them agree that tasks are missing.
    metric: service.metricHealthyTasks(highest),
    below: minTasks,
    points: [10, 10],
    noData: 'alarm',
    because: 'the metric exists while there is a single task',
  });
}

/** Fires when, twice in a row, clients connected more than once on average in five minutes. */
function addReconnectAlarm(add: AddAlarm, service: RealtimeService): void {
  add('ReconnectRate', {
    after: service.running,
    runbook: 'Clients reconnect again and again',
    meaning: 'More connections were opened in five minutes than are open: clients reconnect in circles.',
    metric: new cloudwatch.MathExpression({
      // Below a hundred connections, a few clients that come and go would look like a storm.
      expression: 'connects / IF(open / 5 > 100, open / 5, 100)',
      label: 'connects for each open connection',
      period: fiveMinutes,
      usingMetrics: {
        connects: service.metric('Connects', total),
        // Each task reports its connections once a minute, so the sum of five minutes is five times the connections.
        open: service.metric('Connections', total),
      },
    }),
    above: 1,
    points: [2, 2],
    noData: 'fine',
    because: tasksAreWatched,
  });
}

/**
 * Alarms that also roll a deployment back: what a version breaks that its tasks do not die of. They exist before the
 * service, and a service without data is fine for them.
 */
export function addRollbackAlarms(add: AddAlarm, service: RealtimeService, edge: Edge): cloudwatch.Alarm[] {
  const alarms = [addErrorAlarm(add, service, edge), ...addLossAlarms(add, service)];
  return service.isConnected ? [...alarms, addDegradedAlarm(add, service)] : alarms;
}

function addErrorAlarm(add: AddAlarm, service: RealtimeService, { balancer }: Edge): cloudwatch.Alarm {
  const counts = { statistic: 'Sum', period: oneMinute };
  const errors = '(FILL(byTasks, 0) + FILL(byBalancer, 0))';
  return add('ServerErrors', {
    after: 'nothing',
    runbook: 'Requests fail',
    meaning: 'More than 5% of requests got a response of 500 or more, and more than ten a minute.',
    metric: new cloudwatch.MathExpression({
      // The load balancer counts as requests only what it could send to a task.
      expression: `IF(${errors} > 10, 100 * ${errors} / (FILL(requests, 0) + FILL(byBalancer, 0)), 0)`,
      label: '% of requests',
      period: oneMinute,
      usingMetrics: {
        byTasks: service.metricServerErrors(counts),
        byBalancer: balancer.metricServerErrors(counts),
        requests: service.metricRequests(counts),
      },
    }),
    above: 5,
    points: [3, 5],
    noData: 'fine',
    because: 'the load balancer reports errors only while there are some',
  });
}

function addLossAlarms(add: AddAlarm, service: RealtimeService): cloudwatch.Alarm[] {
  const runbook = 'Clients are told that messages were lost';
  return [
    add('Gaps', {
      after: 'nothing',
      runbook,
      meaning: 'Connected clients were told that messages are missing from what they heard.',
      metric: service.metric('Gaps', total),
      above: 0,
      points: [1, 1],
      noData: 'fine',
      because: tasksAreWatched,
    }),
    add('LossesReported', {
      after: 'nothing',
      runbook,
      meaning: 'More than half of the clients that joined were told that messages are missing.',
      metric: new cloudwatch.MathExpression({
        // Whoever comes back after hours is told so rightly. Half of all joins, twice in a row, is a fault.
        expression: 'IF(losses > 100, 100 * losses / joins, 0)',
        label: '% of joins',
        period: fiveMinutes,
        usingMetrics: {
          losses: service.metric('LossesReported', total),
          joins: service.metric('Joins', total),
        },
      }),
      above: 50,
      points: [2, 2],
      noData: 'fine',
      because: tasksAreWatched,
    }),
  ];
}

function addDegradedAlarm(add: AddAlarm, service: RealtimeService): cloudwatch.Alarm {
  return add('ServiceDegraded', {
    after: 'nothing',
    runbook: 'Service degraded',
    meaning: 'A task was without Redis for most of three minutes: it refuses publishes and hears nothing.',
    // A failover takes about a minute, which is most of one minute or of two.
    metric: service.metric('DegradedSeconds', highest),
    above: 30,
    points: [3, 5],
    noData: 'fine',
    because: tasksAreWatched,
  });
}
