import { Stack } from 'aws-cdk-lib';
import type { Agent } from '../agent/agent.ts';
import { CloudFrontEdge } from '../edge/cloudfront-edge.ts';
import type { Edge } from '../edge/edge.ts';
import type { LiveKit } from '../livekit/livekit.ts';
import { Network } from '../network/network.ts';
import type { NetworkPlacement } from '../network/network-placement.ts';
import type { Redis } from '../redis/redis.ts';
import { ValkeyCache } from '../redis/valkey-cache.ts';
import type { RealtimeService } from '../service/realtime-service.ts';
import { fiveMinutes, highest, lowest, total } from './alarm.ts';
import { average, type DashboardRow, type Graph, percentiles, sum } from './dashboard.ts';
import { liveKitCacheRow, redisRow } from './redis-rows.ts';

/** The parts of the stack whose metrics are shown. */
export interface DashboardSources {
  readonly network: NetworkPlacement;
  readonly edge: Edge;
  readonly service: RealtimeService;

  /** @default - the service runs alone */
  readonly redis?: Redis;

  /**
   * LiveKit's own cache, beside a `redis` of several shards.
   * @default - it shares `redis`
   */
  readonly liveKitCache?: ValkeyCache;

  /** @default - there are no calls */
  readonly liveKit?: LiveKit;

  /** @default - there is no voice agent */
  readonly agent?: Agent;
}

/** The rows from top to bottom: first whom it hits, then where it comes from, then what it costs. */
export function dashboardRows(sources: DashboardSources): DashboardRow[] {
  const { service, redis, liveKitCache, liveKit, agent } = sources;
  return [
    connectionsRow(service),
    deliveriesRow(service),
    lossesRow(service),
    ...(service.isConnected || redis instanceof ValkeyCache ? [redisRow(service, redis)] : []),
    ...(liveKit ? [callsRow(liveKit, agent)] : []),
    ...(liveKitCache ? [liveKitCacheRow(liveKitCache)] : []),
    edgeRow(sources),
    costsRow(sources),
  ];
}

function connectionsRow(service: RealtimeService): DashboardRow {
  return {
    title: 'Who is connected',
    text: 'Clients of all tasks together, and the tasks that serve them. A fall of connections with a burst of connects after it: a task or a proxy ended, and clients came back. Connects that go on: they come back in circles. Sessions cut: what tasks held, or relayed to others, that ended without having drained.',
    articles: [
      'Clients reconnect again and again',
      'Fewer tasks than asked for',
      'Instances are not ready',
      "A service can't scale further",
      'A deployment failed',
    ],
    graphs: [
      {
        title: 'Connections',
        unit: 'connections',
        left: [service.metric('Connections', sum)],
        right: [service.metric('Connections', { ...sum, statistic: 'SampleCount', label: 'tasks' })],
        rightUnit: 'tasks',
      },
      {
        title: 'Connects and disconnects',
        unit: 'a minute',
        left: [
          service.metric('Connects', sum),
          service.metric('Disconnects', sum),
          service.metric('UpgradeFailures', sum),
          service.metric('SessionsCut', sum),
        ],
      },
      {
        title: 'Rooms and members',
        unit: 'rooms',
        left: [service.metric('Rooms', sum)],
        right: [service.metric('Members', sum)],
        rightUnit: 'members',
      },
      {
        title: 'Tasks by the load balancer, and their CPU',
        unit: 'tasks',
        left: [service.metricHealthyTasks(highest), service.metricUnhealthyTasks(highest)],
        right: [service.metricCpu(average)],
        rightUnit: '%',
      },
    ],
  };
}

function deliveriesRow(service: RealtimeService): DashboardRow {
  return {
    title: 'What is published and delivered',
    text: 'Publishes that fail are refused or uncertain; clients try again. From publish to delivery is what users feel as delay, without their own network. The event loop is late where a task has too much work.',
    articles: ['Messages arrive late', 'Requests are slow', 'Service degraded'],
    graphs: [
      {
        title: 'Publishes',
        unit: 'a minute',
        left: [service.metric('Publishes', sum), service.metric('PublishesFailed', sum)],
      },
      { title: 'Deliveries', unit: 'a minute', left: [service.metric('Deliveries', sum)] },
      {
        title: 'From publish to delivery',
        unit: 'ms',
        left: percentiles(['p50', 'p99'], (options) => service.metric('PublishToDelivery', options)),
      },
      {
        title: 'Event loop, and memory',
        unit: 'ms',
        left: [service.metric('EventLoopLagP99', highest)],
        right: [service.metric('ResidentMemory', highest)],
        rightUnit: 'bytes',
      },
    ],
  };
}

function lossesRow(service: RealtimeService): DashboardRow {
  return {
    title: 'What was lost, and who was notified',
    text: 'Gaps: connected clients were notified that messages are missing; there should be none. Losses reported: clients that were away for longer than the room log reaches, or whose messages a failover lost. Replays: clients that came back and got what they had missed. Degraded seconds: time without Redis, of all tasks.',
    articles: ['Clients are told that messages were lost', 'Service degraded'],
    graphs: [
      {
        title: 'Losses that clients were notified of',
        unit: 'a minute',
        left: [service.metric('Gaps', sum), service.metric('LossesReported', sum)],
      },
      {
        title: 'Joins and replays',
        unit: 'a minute',
        left: [service.metric('Joins', sum), service.metric('Replays', sum)],
      },
      { title: 'Slow consumers', unit: 'a minute', left: [service.metric('SlowConsumers', sum)] },
      {
        title: 'Degraded seconds, and errors of Redis',
        unit: 'seconds a minute',
        left: [service.metric('DegradedSeconds', sum)],
        right: [
          service.metric('RedisErrors', sum),
          ...(service.isConnected ? [service.metricDemotedPrimary(sum)] : []),
        ],
        rightUnit: 'a minute',
      },
    ],
  };
}

function callsRow(liveKit: LiveKit, agent: Agent | undefined): DashboardRow {
  const both = [liveKit, ...(agent ? [agent] : [])];
  return {
    title: 'Calls',
    text: 'Live nodes are those that Redis knows; there should be as many as running tasks. A task with calls is protected. Blocked: ECS protects no more tasks, because a deployment waits.',
    articles: [
      'LiveKit nodes run alone',
      'A deployment waits for calls',
      'Fewer tasks than asked for',
      'A call was interrupted',
      'The voice agent does not answer',
    ],
    graphs: [
      {
        title: 'Nodes, and CPU',
        unit: 'nodes',
        left: [liveKit.metric('RunningTasks', highest), liveKit.metric('LiveNodes', lowest)],
        right: both.map((each) => each.metricCpu({ ...average, label: `${each.node.id} CPU` })),
        rightUnit: '%',
      },
      {
        title: 'Participants, and calls of the agent',
        unit: 'now',
        left: [liveKit.metric('Participants', sum), ...(agent ? [agent.metric('Jobs', sum)] : [])],
      },
      {
        title: 'Protected tasks',
        unit: 'tasks',
        left: both.map((each) => each.metric('Protected', { ...sum, label: `${each.node.id} protected` })),
      },
      {
        title: 'Blocked',
        unit: 'tasks',
        left: both.map((each) =>
          each.metric('DeploymentBlocked', { ...sum, label: `${each.node.id} blocked` }),
        ),
      },
    ],
  };
}

function edgeRow({ edge, network, service }: DashboardSources): DashboardRow {
  const { balancer, webAcl } = edge;
  const portErrors = network instanceof Network && network.metricOfNatGateways('ErrorPortAllocation', sum);
  return {
    title: 'The edge',
    text: 'Errors by tasks, and by the load balancer, which found no task or lost its connection to one. Response time: long polls wait for up to 25 s by design, so p25 is the one to look at. What CloudFront adds to the errors is between it and the load balancer.',
    articles: [
      'Requests fail',
      'Requests are slow',
      'CloudFront responds with errors',
      'WAF blocks many requests',
      'A NAT gateway has no free ports',
    ],
    graphs: [
      {
        title: 'Requests, and open connections',
        unit: 'requests a minute',
        left: [service.metricRequests(sum)],
        right: [balancer.metricConnections(sum)],
        rightUnit: 'connections',
      },
      {
        title: 'Responses of 500 or more',
        unit: 'a minute',
        left: [service.metricServerErrors(sum), balancer.metricServerErrors(sum)],
      },
      {
        title: 'Response time',
        unit: 'seconds',
        left: percentiles(['p25', 'p50', 'p99'], (options) => service.metricResponseTime(options)),
      },
      ...(edge instanceof CloudFrontEdge ? [cloudFrontErrors(edge)] : []),
      ...(portErrors ? [{ title: 'NAT gateways: no port', unit: 'a minute', left: [portErrors] }] : []),
      ...(webAcl
        ? [
            {
              title: 'WAF',
              unit: 'blocked a minute',
              left: [webAcl.metric('BlockedRequests', sum)],
              right: [webAcl.metric('AllowedRequests', sum)],
              rightUnit: 'allowed a minute',
            },
          ]
        : []),
    ],
  };
}

function cloudFrontErrors(edge: CloudFrontEdge): Graph {
  const rate = { statistic: 'Average', period: fiveMinutes };
  return {
    title: 'CloudFront: share of errors',
    unit: '%',
    left: [edge.metric('4xxErrorRate', rate), edge.metric('5xxErrorRate', rate)],
    right: [edge.metric('Requests', total)],
    rightUnit: 'requests in 5 minutes',
  };
}

function costsRow({ network, edge, service, liveKit, agent }: DashboardSources): DashboardRow {
  const logs = [service, liveKit, agent].flatMap((each) =>
    each ? [each.metricLogBytes({ ...total, label: each.node.id })] : [],
  );
  const nat =
    network instanceof Network
      ? (['BytesOutToDestination', 'BytesInFromDestination'] as const).flatMap(
          (name) => network.metricOfNatGateways(name, total) ?? [],
        )
      : [];
  return {
    title: 'What it costs',
    text: `What grows with use, beside \`npm run cost\`, which has what does not. In us-east-1: NAT $0.045 a GB, logs $0.50 a GB, CloudFront $0.085 a GB after the first TB, a capacity unit of the load balancer $0.008 an hour. The region is ${Stack.of(service).region}.`,
    articles: [],
    graphs: [
      {
        title: 'Tasks',
        unit: 'tasks',
        left: [
          service.metric('Connections', { ...sum, statistic: 'SampleCount', label: 'Service' }),
          ...[liveKit, agent].flatMap((each) =>
            each ? [each.metric('RunningTasks', { ...highest, label: each.node.id })] : [],
          ),
        ],
      },
      { title: 'Logs', unit: 'bytes in 5 minutes', left: logs },
      {
        title: 'Load balancer',
        unit: 'capacity units',
        left: [edge.balancer.metricCapacityUnits({ statistic: 'Average', period: fiveMinutes })],
      },
      ...(nat.length > 0 ? [{ title: 'NAT gateways', unit: 'bytes in 5 minutes', left: nat }] : []),
      ...(edge instanceof CloudFrontEdge
        ? [
            {
              title: 'CloudFront',
              unit: 'bytes in 5 minutes',
              left: [edge.metric('BytesDownloaded', total)],
            },
          ]
        : []),
    ],
  };
}
