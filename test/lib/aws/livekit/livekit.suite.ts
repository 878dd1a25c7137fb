import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { PublicEdge } from '../../../../lib/aws/edge/public-edge.ts';
import { LiveKit, type LiveKitProps } from '../../../../lib/aws/livekit/livekit.ts';
import { LiveKitKey } from '../../../../lib/aws/livekit/livekit-key.ts';
import { newNetwork, newRedis, newStack } from '../synthesis.ts';

const fargate = { kind: 'fargate', cpuArchitecture: 'arm64', cpu: 1024, memoryMiB: 2048 } as const;

function liveKit(props: Partial<LiveKitProps>) {
  const stack = newStack();
  const network = newNetwork(stack);
  const removalPolicy = RemovalPolicy.DESTROY;
  return new LiveKit(stack, 'LiveKit', {
    cluster: new ecs.Cluster(stack, 'Cluster', { vpc: network.vpc }),
    network,
    capacity: { kind: 'ec2', instanceType: 'c7g.xlarge', terminationProtection: false },
    notifications: new Topic(stack, 'Topic'),
    apiKey: new LiveKitKey(stack, 'Key', { version: 1, removalPolicy }),
    startAfter: network.vpc,
    redis: newRedis(stack),
    edge: new PublicEdge(stack, 'Edge', {
      network,
      removalPolicy,
      idleTimeout: Duration.minutes(2),
      drainTime: Duration.seconds(10),
      deletionProtection: false,
      domainName: 'realtime.example.com',
      certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0123',
    }),
    minTasks: 2,
    maxTasks: 2,
    deployment: 'test',
    maxCallDrain: Duration.minutes(60),
    stopTimeout: Duration.minutes(10),
    logRetention: 7,
    removalPolicy,
    ...props,
  });
}

test.each<[Partial<LiveKitProps>, string]>([
  [{ redis: undefined }, '`maxTasks` must be 1 without `redis`, got: 2'],
  [{ maxTasks: 1 }, '`maxTasks` must be `minTasks` (2) or more, got: 1'],
  [{ maxCallDrain: Duration.minutes(141) }, 'at most 150 minutes together, got: 141 + 10'],
])('%j is refused', (props, message) => {
  expect(() => liveKit(props)).toThrow(message);
});

test('the longest drain that CloudFormation waits for is accepted', () => {
  expect(() => liveKit({ maxCallDrain: Duration.minutes(140) })).not.toThrow();
  // Fargate ends a task after 2 minutes, so the drain may be longer.
  const onFargate = liveKit({ capacity: fargate, maxCallDrain: Duration.minutes(148) });
  expect(onFargate.stopTimeout.toMinutes()).toBe(2);
});
