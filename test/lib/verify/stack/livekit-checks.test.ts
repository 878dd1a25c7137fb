import type { Deployment, Service } from '@aws-sdk/client-ecs';
import { AwsError } from '../../../support/servers/aws.ts';
import { lookWith } from './look-at.ts';
import { type Answers, ago, task } from './recorded.ts';
import { type EmfLine, sidecarLine } from './sidecar-line.ts';

type Change = (answers: Answers) => void;

const all =
  (...changes: Change[]): Change =>
  (answers) => {
    for (const change of changes) change(answers);
  };

const serviceIn = ({ 'ecs:DescribeServices': { services } }: Answers, name: string): Service =>
  services.find(({ serviceName }: Service) => serviceName === name);

/** What sidecars wrote is otherwise, from so many minutes ago until so many. */
const written =
  (values: object, from = 20, until = -1): Change =>
  ({ 'cloudwatch:GetMetricData': { lines } }) => {
    for (const line of lines as EmfLine[]) {
      const { Timestamp: at } = line._aws;
      if (line.Service === 'livekit' && at >= ago(from).getTime() && at < ago(until).getTime())
        Object.assign(line, values);
    }
  };

const onlyLines =
  (keep: (line: EmfLine, at: number) => boolean): Change =>
  ({ 'cloudwatch:GetMetricData': recorded }) => {
    recorded.lines = recorded.lines.filter((line: EmfLine) => keep(line, line._aws.Timestamp));
  };

/** One more task of LiveKit, that runs unless a test says otherwise. */
const withTask =
  (more: object): Change =>
  ({ 'ecs:DescribeTasks': { tasks } }) =>
    tasks.push(task('livekit-1', 'node-3', more));

const running =
  (count: number, name = 'livekit-1'): Change =>
  (answers) => {
    const service = serviceIn(answers, name);
    service.runningCount = count;
    Object.assign(service.deployments?.[0] as Deployment, { runningCount: count });
  };

/** A deployment takes the place of the one that ran; 2 of its tasks and some old ones run. */
const deploying =
  (since: number, more: Deployment = {}, old = 1, name = 'livekit-1'): Change =>
  (answers) => {
    const service = serviceIn(answers, name);
    const next = {
      ...service.deployments?.[0],
      id: 'ecs-svc/2',
      createdAt: ago(since),
      updatedAt: ago(since - 2),
      rolloutState: 'IN_PROGRESS' as const,
      rolloutStateReason: 'ECS deployment ecs-svc/2 in progress.',
      ...more,
    };
    const before = { ...service.deployments?.[0], status: 'ACTIVE', desiredCount: 0, runningCount: old };
    service.deployments = [next, before];
    service.runningCount = (next.runningCount ?? 0) + old;
  };

describe('livekit-tasks', () => {
  const result = (change: Change) => lookWith('livekit-tasks', change);

  test('a node that runs alone: who looks finds it, why, and where the log is', async () => {
    const [found, cause, fix] = (await result(written({ LiveNodes: 1 }))).split(' | ');
    expect(found).toBe(
      '✗ 2 tasks of LiveKit run, and each sidecar saw 1 node alive in Redis (3 minutes until 2026-11-20T12:00Z)',
    );
    expect(cause).toContain('only LIVEKIT_CONFIG counts');
    expect(fix).toContain('`aws logs tail livekit-logs-1 --log-stream-name-prefix livekit/');
  });

  test('a node whose Redis is another one than that of the other two', async () => {
    const change = all(
      running(3),
      withTask({ startedAt: ago(60) }),
      ({ 'cloudwatch:GetMetricData': { lines } }) => {
        for (let minute = 0; minute < 20; minute += 1)
          lines.push(sidecarLine(ago(minute, 10), 'livekit', { LiveNodes: 1, RunningTasks: 3 }));
      },
    );
    expect(await result(change)).toContain(
      '✗ 3 tasks of LiveKit run, and each sidecar saw 1 to 2 nodes alive',
    );
  });

  test('a node that joined another deployment’s nodes', async () => {
    const change: Change = ({ 'cloudwatch:GetMetricData': { lines } }) => {
      for (const line of lines as EmfLine[]) if (line._aws.Timestamp % 60_000 === 10_000) line.LiveNodes = 3;
    };
    expect(await result(change)).toContain(
      '✗ 2 tasks of LiveKit run, and each sidecar saw 2 to 3 nodes alive',
    );
  });

  test('nodes of another deployment in the same Redis', async () => {
    const text = await result(written({ LiveNodes: 4 }));
    expect(text).toContain('each sidecar saw 4 nodes alive');
    expect(text).toContain('another deployment’s nodes use the same Redis');
    expect(text).toContain('give each deployment a Redis of its own');
  });

  test.each<[string, Change, string]>([
    ['nothing', onlyLines(() => false), 'none within 15 minutes'],
    ['it until a while ago', onlyLines((_, at) => at < ago(8).getTime()), 'the last 2026-11-20T11:53Z'],
    [
      'it under the name of another stack',
      ({ 'cloudwatch:GetMetricData': { lines } }) => {
        for (const line of lines) line.Deployment = 'realtime-dev';
      },
      'none within 15 minutes',
    ],
    [
      'all but LiveNodes, as they can’t read Redis',
      ({ 'cloudwatch:GetMetricData': { lines } }) => {
        for (const { _aws } of lines)
          _aws.CloudWatchMetrics[0].Metrics = [{ Name: 'RunningTasks' }, { Name: 'Protected' }];
      },
      'none within 15 minutes',
    ],
  ])('sidecars that write %s', async (_case, change, last) => {
    const text = await result(change);
    expect(text).toContain(`✗ 2 tasks of LiveKit run, and their sidecars write no LiveNodes: ${last}`);
    expect(text).toContain('aws logs tail livekit-logs-1 --log-stream-name-prefix sidecar/');
  });

  test('a sidecar among others that write is named as what is not proved', async () => {
    const text = await result(
      onlyLines(({ Service }, at) => Service === 'agent' || (at / 1_000) % 60 === 10),
    );
    expect(text).toMatch(/^✓ 2 tasks .+ \| not proved: what all nodes see: 1 sidecar wrote nothing$/);
  });

  test('what was and is over is no fault', async () => {
    expect(await result(written({ LiveNodes: 1 }, 20, 4))).toMatch(/^✓/);
    // The current minute is not complete.
    expect(await result(written({ LiveNodes: 1 }, 0.5, -1))).toMatch(/^✓/);
    // Metrics come late.
    expect(await result(onlyLines((_, at) => at < ago(3).getTime()))).toMatch(/^✓ .+until 2026-11-20T11:58Z/);
  });

  const fewer = written({ LiveNodes: 1 });
  test.each<[string, Change, string]>([
    [
      'a task that started a minute ago',
      all(fewer, (answers) => {
        answers['ecs:DescribeTasks'].tasks[2].startedAt = ago(1);
      }),
      'since 2026-11-20T11:57Z 1 task started and 0 ended or is about to: look again in 5 minutes',
    ],
    [
      'a new task before any metric',
      all(
        onlyLines(() => false),
        (answers) => {
          answers['ecs:DescribeTasks'].tasks[2].startedAt = ago(1);
        },
      ),
      '1 task started',
    ],
    [
      'a node that was asked to end and still has a call, which ECS no longer counts',
      all(
        written({ LiveNodes: 3 }),
        withTask({ desiredStatus: 'STOPPED', lastStatus: 'DEACTIVATING', startedAt: ago(90) }),
      ),
      '0 tasks started and 1 ended or is about to',
    ],
    [
      'a node that has ended just now',
      all(
        written({ LiveNodes: 3 }),
        withTask({
          desiredStatus: 'STOPPED',
          lastStatus: 'STOPPED',
          startedAt: ago(90),
          stoppedAt: ago(2),
        }),
      ),
      '0 tasks started and 1 ended',
    ],
    [
      'a deployment to another Redis',
      all(deploying(40, {}, 2), written({ LiveNodes: 2 })),
      '4 tasks of LiveKit run, and each sidecar saw 2 nodes alive in Redis (3 minutes until 2026-11-20T12:00Z); a deployment is under way',
    ],
  ])('%s is no fault yet: look again', async (_case, change, words) => {
    const text = await result(change);
    expect(text).toMatch(/^–/);
    expect(text).toContain(words);
  });

  test.each<[string, Change]>([
    ['that started long ago', withTask({ startedAt: ago(5) })],
    [
      'that ended long ago',
      withTask({ desiredStatus: 'STOPPED', lastStatus: 'STOPPED', startedAt: ago(90), stoppedAt: ago(30) }),
    ],
    [
      'that could not start',
      withTask({ desiredStatus: 'STOPPED', lastStatus: 'STOPPED', stoppedAt: ago(1) }),
    ],
    [
      'of the agent that started just now',
      (answers) => {
        answers['ecs:DescribeTasks'].tasks[4].startedAt = ago(1);
      },
    ],
  ])('a task %s excuses nothing', async (_case, change) => {
    expect(await result(all(fewer, change))).toMatch(/^✗/);
  });

  test('a deployment whose nodes all see each other is well, while it waits for calls', async () => {
    expect(await result(all(deploying(40), written({ LiveNodes: 3 })))).toMatch(/^✓ 3 tasks/);
  });

  test('no task, no service, no Redis, no permission', async () => {
    expect(await result(running(0))).toContain('✗ no task of LiveKit runs, 2 are wanted');
    const gone = await result((answers) => {
      serviceIn(answers, 'livekit-1').status = 'INACTIVE';
    });
    expect(gone).toMatch(/^✗ no service .+livekit-1 of LiveKit \| it was deleted outside of CloudFormation/);
    const alone = await result(({ 'cloudformation:ListStackResources': recorded }) => {
      recorded.StackResourceSummaries = recorded.StackResourceSummaries.filter(
        ({ ResourceType }: { ResourceType: string }) => ResourceType !== 'AWS::SSM::Parameter',
      );
    });
    expect(alone).toBe('– the stack has no Redis: its one node is alone by intent');
    const denied = await result((answers) => {
      answers['cloudwatch:GetMetricData'] = new AwsError(403, 'AccessDenied', 'not authorized');
    });
    expect(denied).toContain('✗ the metric LiveNodes of livekit: AccessDenied: not authorized');
    expect(denied).toContain('ReadOnlyAccess is enough');
  });
});

describe('livekit-deployments', () => {
  const result = (change: Change) => lookWith('livekit-deployments', change);

  test('a deployment that waits for calls says since when, and for how many', async () => {
    const text = await result(all(deploying(12), written({ Protected: 1 }, 2, 1)));
    expect(text).toBe(
      '✓ LiveKit: a deployment began 12 minutes ago: 2 of 2 new tasks run, 1 old one still there; 2 tasks protected by calls, for which it waits maxCallDrainMinutes at most; the agent: 2 of 2 tasks run',
    );
  });

  test('protection that ECS refused is reported: its calls may end', async () => {
    const text = await result(all(deploying(12), written({ DeploymentBlocked: 1 }, 2, 1)));
    expect(text).toMatch(
      /^✓ .+ \| not proved: that each call of LiveKit is protected: .+\(DEPLOYMENT_BLOCKED\)/,
    );
    expect(await result(written({ DeploymentBlocked: 1 }, 20, 7))).not.toContain('not proved');
  });

  test('sidecars that write nothing keep nothing that is known of', async () => {
    expect(await result(onlyLines(({ Service }) => Service !== 'agent'))).toContain(
      '| not proved: that calls of the agent are protected: no sidecar has written',
    );
  });

  const failed = {
    rolloutState: 'FAILED' as const,
    rolloutStateReason: 'ECS deployment circuit breaker: tasks failed to start.',
  };
  test.each<[string, Change, string, string]>([
    [
      'has failed',
      deploying(12, failed),
      'LiveKit: ECS deployment circuit breaker: tasks failed to start.',
      'did not become healthy',
    ],
    [
      'is rolled back',
      deploying(12, {
        rolloutStateReason: 'ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.',
      }),
      'LiveKit: ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.',
      'did not become healthy',
    ],
    [
      'finds no room',
      deploying(45, { runningCount: 0 }, 2),
      'LiveKit: 0 of 2 tasks of a deployment run, and nothing has changed for 43 minutes',
      'needs a host',
    ],
    [
      'never lets an old task go',
      deploying(170),
      'LiveKit: 1 old task still there, 170 minutes after a deployment began',
      'renews the protection',
    ],
    [
      'is over and lacks a task',
      running(1),
      'LiveKit: 1 of 2 tasks run, and no deployment is under way',
      'there is no room',
    ],
    [
      'of the agent fails',
      deploying(12, failed, 2, 'agent-1'),
      'the agent: ECS deployment circuit breaker: tasks failed to start.',
      'did not become healthy',
    ],
    [
      'of each fails',
      all(deploying(12, failed), running(1, 'agent-1')),
      'tasks failed to start.; the agent: 1 of 2 tasks run',
      'did not become healthy',
    ],
  ])('a deployment that %s', async (_case, change, found, cause) => {
    const text = await result(change);
    expect(text).toMatch(/^✗/);
    expect(text).toContain(found);
    expect(text.split(' | ')[1]).toContain(cause);
    expect(text.split(' | ')[2]).toMatch(/`aws (ecs describe-services --cluster cluster-1|logs tail)/);
  });

  test('tasks that are just starting are no fault', async () => {
    expect(await result(deploying(12, { runningCount: 0 }, 2))).toMatch(
      /^✓ .+0 of 2 new tasks run, 2 old ones/,
    );
  });

  test('a stack without the agent', async () => {
    const text = await result(({ 'cloudformation:ListStackResources': recorded }) => {
      recorded.StackResourceSummaries = recorded.StackResourceSummaries.filter(
        ({ LogicalResourceId }: { LogicalResourceId: string }) => !LogicalResourceId.startsWith('Agent'),
      );
    });
    expect(text).toBe('✓ LiveKit: 2 of 2 tasks run');
  });
});
