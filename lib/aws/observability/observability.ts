import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { ValkeyCache } from '../redis/valkey-cache.ts';
import { type AddAlarm, alarm } from './alarm.ts';
import { addCallAlarms, addNodeAlarms } from './call-alarms.ts';
import { Dashboard } from './dashboard.ts';
import { type DashboardSources, dashboardRows } from './dashboard-rows.ts';
import { addEdgeAlarms } from './edge-alarms.ts';
import { FailedDeployments } from './failed-deployments.ts';
import { addBackplaneAlarms, addCacheAlarms } from './redis-alarms.ts';
import { addScalingAlarms } from './scaling-alarms.ts';
import { addRollbackAlarms, addServiceAlarms } from './service-alarms.ts';

/** If Redis is the stack's own cache, its nodes are watched too; the owner of an existing Redis watches it. */
export interface ObservabilityProps extends DashboardSources {
  readonly topic: sns.ITopic;

  /** A dashboard with all that alarms read, and what costs money. */
  readonly dashboard: boolean;
}

/** The alarms, and the events that report like alarms. Each says what is wrong, and which article of RUNBOOK.md to open. */
export class Observability extends Construct {
  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id);
    const { topic, edge, network, service, redis, liveKitCache, liveKit, agent } = props;
    const alarms: cloudwatch.Alarm[] = [];
    const add: AddAlarm = (alarmId, alarmProps) => {
      const added = alarm(this, alarmId, { ...alarmProps, topic });
      alarms.push(added);
      return added;
    };
    service.rollBackOn(addRollbackAlarms(add, service, edge));
    addServiceAlarms(add, service);
    addEdgeAlarms(add, { edge, network, after: service.running });
    if (service.isConnected) addBackplaneAlarms(add, service);
    if (redis instanceof ValkeyCache)
      addCacheAlarms(add, {
        cache: redis,
        idPrefix: 'Cache',
        name: 'the cache',
        after: service.running,
        mostTasks: deploying(service.maxTasks + (liveKitCache ? 0 : (liveKit?.maxTasks ?? 0))),
      });
    if (liveKitCache && liveKit)
      addCacheAlarms(add, {
        cache: liveKitCache,
        idPrefix: 'LiveKitCache',
        name: 'LiveKit’s cache',
        after: liveKit.service,
        mostTasks: deploying(liveKit.maxTasks),
      });
    if (liveKit?.isConnected) addNodeAlarms(add, liveKit);
    for (const calls of [liveKit, agent]) if (calls) addCallAlarms(add, calls);
    addScalingAlarms(add, props);
    new FailedDeployments(this, 'FailedDeployments', {
      topic,
      serviceArns: [service.container.service, liveKit?.service, agent?.service].flatMap((each) =>
        each ? [each.serviceArn] : [],
      ),
    });
    if (props.dashboard) new Dashboard(this, 'Dashboard', { alarms, rows: dashboardRows(props) });
  }
}

/** A deployment doubles the tasks. */
const deploying = (tasks: number) => 2 * tasks;
