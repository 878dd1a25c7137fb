import { Stack, Tags } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { LiveKitKey } from './aws/calls/livekit-key.ts';
import { Cluster } from './aws/cluster/cluster.ts';
import { AlarmTopic } from './aws/observability/alarm-topic.ts';
import { Observability } from './aws/observability/observability.ts';
import type { RealtimeConfig } from './config/config.ts';
import { createCalls } from './parts/calls.ts';
import { createEdge } from './parts/edge.ts';
import { tell } from './parts/outputs.ts';
import { createPlace } from './parts/place.ts';
import { createRedis } from './parts/redis.ts';
import { removalPolicyOf } from './parts/removal.ts';
import { createService, routeToService } from './parts/service.ts';

/** The deployment: a Socket.IO service that runs as many instances and behaves as one, and calls beside it. */
export class RealtimeStack extends Stack {
  constructor(scope: Construct, id: string, config: RealtimeConfig) {
    super(scope, id, {
      stackName: config.stackName,
      env: { region: config.region },
      description: 'Realtime Stack: a Socket.IO service that runs as many instances and behaves as one',
      terminationProtection: config.deletionProtection,
    });

    const place = createPlace(this, config);
    const { cluster } = new Cluster(this, 'Cluster', {
      vpc: place.vpc,
      containerInsights: config.containerInsights,
    });
    const { topic } = new AlarmTopic(this, 'Alarms', { email: config.alarmEmail });
    const redis = createRedis(this, config, place);
    const redisAccess = redis?.accessOfService();
    const edge = createEdge(this, config, place);
    const apiKey =
      config.liveKitNodes > 0
        ? new LiveKitKey(this, 'LiveKitKey', { removalPolicy: removalPolicyOf(config) })
        : undefined;
    const app = createService(this, config, { cluster, place, edge, redis: redisAccess, apiKey });
    if (redis) app.realtime.service.node.addDependency(redis.source);
    const targets = routeToService(edge, app);
    const calls = apiKey && createCalls(this, config, { cluster, place, edge, topic, apiKey, redis });
    new Observability(this, 'Observability', {
      topic,
      app,
      targets,
      minTasks: config.minTasks,
      joined: redis !== undefined,
      backplane: redis?.backplane,
      liveKit: calls?.liveKit,
      agent: calls?.agent,
    });

    // CloudFront's origin refuses a change of its tags (409).
    Tags.of(this).add('realtime-stack:deployment', config.stackName, {
      excludeResourceTypes: ['AWS::CloudFront::VpcOrigin'],
    });
    tell(this, config, { edge, app, turn: calls?.turn, topicArn: topic.topicArn });
  }
}
