import type { Context } from '../../../../lib/verify/check.ts';
import { stackChecks } from '../../../../lib/verify/registry.ts';
import { openClients } from '../../../../lib/verify/stack/aws-clients.ts';
import { openStack, readStack } from '../../../../lib/verify/stack/deployed-stack.ts';
import { AwsError } from '../../../support/servers/aws.ts';
import type { Json } from '../../aws/synthesis.ts';
import { type Account, openAccount } from './account.ts';
import { lookAt, lookWith } from './look-at.ts';
import { type Answers, addShards, wellAnswers } from './recorded.ts';

const accounts: Account[] = [];
afterEach(async () => {
  for (const account of accounts.splice(0).reverse()) await account.stop();
});

const group = (answers: Answers) => answers['elasticache:DescribeReplicationGroups'].ReplicationGroups[0];

test('a stack that is well passes every check, in numbers', async () => {
  expect(await lookAt()).toEqual({
    'cache-available': '✓ 2 of 2 nodes: rea1abc-001 primary, rea1abc-002 replica',
    'cache-endpoint':
      '✓ /realtime-stack/realtime-prod/redis-url is rediss://master.rea1abc.x1.use1.cache.amazonaws.com:6379',
    'cache-settings': expect.stringContaining('✓ MultiAZEnabled enabled, AutomaticFailoverEnabled enabled'),
    'cache-users': '✓ users with their passwords: default (1), app (2)',
    'tasks-after-rotation': '✓ 5 tasks, all started after 2026-11-20T10:00:00.000Z',
    'livekit-deployments': '✓ LiveKit: 2 of 2 tasks run; the agent: 2 of 2 tasks run',
    'livekit-tasks':
      '✓ 2 tasks of LiveKit run, and each sidecar saw 2 nodes alive in Redis (3 minutes until 2026-11-20T12:00Z)',
    'livekit-turn': '– the stack has no TURN',
  });
});

test.each<[string, (answers: Answers) => void, string]>([
  ['cache-available', (a) => Object.assign(group(a), { Status: 'modifying' }), 'rea1abc is modifying'],
  [
    'cache-available',
    (a) => {
      group(a).NodeGroups[0].NodeGroupMembers[0].CurrentRole = 'replica';
    },
    '0 primary nodes: rea1abc-001 replica, rea1abc-002 replica',
  ],
  [
    'cache-available',
    (a) => {
      a['elasticache:DescribeReplicationGroups'].ReplicationGroups = [];
    },
    'no replication group rea1abc',
  ],
  [
    'cache-endpoint',
    (a) => {
      a['ssm:GetParameter'].Parameters[0].Value = 'rediss://old.example.com:6379';
    },
    'says rediss://old.example.com:6379, the primary is rediss://master.rea1abc',
  ],
  [
    'cache-settings',
    (a) => Object.assign(group(a), { MultiAZ: 'disabled', AutomaticFailover: 'disabled' }),
    'MultiAZEnabled is disabled, the template says enabled; AutomaticFailoverEnabled is disabled',
  ],
  [
    'cache-settings',
    (a) => Object.assign(group(a), { TransitEncryptionMode: 'preferred' }),
    'TransitEncryptionMode is preferred, the template says required',
  ],
  [
    'cache-users',
    (a) => {
      a['elasticache:DescribeUserGroups'].UserGroups[0].Status = 'modifying';
    },
    'the group is modifying',
  ],
  [
    'cache-users',
    (a) => Object.assign(group(a), { UserGroupIds: [] }),
    'the cache rea1abc does not take the group',
  ],
  [
    'cache-users',
    (a) => {
      a['elasticache:DescribeUsers'].Users[0].AccessString = 'on ~* +@all';
    },
    'default is not off: on ~* +@all',
  ],
  [
    'tasks-after-rotation',
    (a) => {
      a['ecs:DescribeTasks'].tasks[0].startedAt = new Date('2026-11-20T09:59:00Z');
    },
    '1 of 5 tasks were started before 2026-11-20T10:00:00.000Z: new',
  ],
])('%s says what is wrong, why, and what to do', async (name, change, found) => {
  const result = await lookWith(name, change);
  expect(result).toContain(`✗ `);
  expect(result).toContain(found);
  expect(result.split(' | ')).toHaveLength(3);
});

describe('a cluster, and LiveKit’s cache beside it', () => {
  const ofShards = (change: (cluster: Json) => void = () => undefined) =>
    lookAt((answers) => {
      addShards(answers);
      change(answers['elasticache:DescribeReplicationGroups'].ReplicationGroups[1]);
    });

  test('are both looked at', async () => {
    expect(await ofShards()).toMatchObject({
      'cache-available':
        '✓ 2 of 2 nodes: rea1abc-001 primary, rea1abc-002 replica; 6 of 6 nodes: rer2def-0001-001, rer2def-0001-002, rer2def-0002-001, rer2def-0002-002, rer2def-0003-001, rer2def-0003-002',
      'cache-endpoint':
        '✓ /realtime-stack/realtime-prod/redis-url is rediss://master.rea1abc.x1.use1.cache.amazonaws.com:6379; /realtime-stack/realtime-prod/redis-shards-of-2-url is rediss://clustercfg.rer2def.x1.use1.cache.amazonaws.com:6379',
      'cache-settings': expect.stringMatching(
        /^✓ rea1abc MultiAZEnabled enabled.+rer2def ClusterMode enabled/,
      ),
      'cache-users': expect.stringMatching(/^✓/),
    });
  });

  test.each<[string, (cluster: Json) => void, string]>([
    [
      'cache-available',
      (cluster) => Object.assign(cluster.NodeGroups[1], { Status: 'modifying' }),
      'rer2def is available; shard 0002 is modifying; ',
    ],
    [
      'cache-available',
      (cluster) => cluster.NodeGroups[1].NodeGroupMembers.pop(),
      'shard 0002 has rer2def-0002-001',
    ],
    [
      'cache-available',
      (cluster) => Object.assign(cluster.NodeGroups[1], { NodeGroupId: '0004' }),
      'shards 0001, 0003, 0004; the template has 3, and its alarms watch 0001, 0002, 0003',
    ],
    ['cache-available', (cluster) => cluster.NodeGroups.pop(), 'shards 0001, 0002; the template has 3'],
    [
      'cache-endpoint',
      (cluster) => Object.assign(cluster.ConfigurationEndpoint, { Address: 'clustercfg.other' }),
      'the cluster is rediss://clustercfg.other:6379',
    ],
    [
      'cache-settings',
      (cluster) => Object.assign(cluster, { ClusterMode: 'compatible' }),
      'rer2def ClusterMode is compatible, the template says enabled',
    ],
    [
      'cache-users',
      (cluster) => Object.assign(cluster, { UserGroupIds: [] }),
      'the cache rer2def does not take the group',
    ],
  ])('%s says what is wrong with a shard', async (name, change, found) => {
    const result = (await ofShards(change))[name];
    expect(result).toMatch(/^✗ /);
    expect(result).toContain(found);
  });
});

test('a password that was put into the parameter is not repeated', async () => {
  const results = await lookAt((answers) => {
    answers['ssm:GetParameter'].Parameters[0].Value = 'rediss://app:hunter2@master.rea1abc:6379';
  });
  expect(results['cache-endpoint']).toContain('with a password');
  expect(JSON.stringify(results)).not.toContain('hunter2');
});

test('a stack without a cache and without LiveKit has nothing to prove', async () => {
  const results = await lookAt((answers) => {
    const { StackResourceSummaries: all } = answers['cloudformation:ListStackResources'];
    answers['cloudformation:ListStackResources'].StackResourceSummaries = all.slice(0, 1);
  });
  expect(Object.values(results).map((result) => result.slice(0, 1))).toEqual([
    '–',
    '–',
    '–',
    '–',
    '–',
    '–',
    '–',
    '–',
  ]);
});

const describeStacks = 'cloudformation:DescribeStacks';

test.each([
  ['ExpiredTokenException', 'The security token included in the request is expired', /aws sso login/],
  ['AccessDeniedException', 'User is not authorized to perform', /ReadOnlyAccess/],
  ['ValidationError', 'Stack with id realtime-prod does not exist', /AWS_REGION/],
])('%s is explained', async (code, message, fix) => {
  const account = await openAccount({ [describeStacks]: new AwsError(400, code, message) });
  accounts.push(account);
  await expect(readStack('realtime-prod', account.clients)).rejects.toMatchObject({
    fault: {
      found: `the stack realtime-prod: ${code}: ${message}`,
      fix: expect.stringMatching(fix),
    },
  });
});

test('an account that is not reached is explained', async () => {
  const error = Object.assign(new Error('connect ETIMEDOUT'), { name: 'TimeoutError' });
  const cloudFormation = { send: () => Promise.reject(error) };
  await expect(readStack('realtime-prod', { cloudFormation } as never)).rejects.toMatchObject({
    fault: {
      found: 'the stack realtime-prod: TimeoutError: connect ETIMEDOUT',
      fix: expect.stringContaining('try again'),
    },
  });
});

test('a stack brings its URL and its checks to a run, and one that can’t be read says why', async () => {
  const account = await openAccount(wellAnswers());
  accounts.push(account);
  const opened = await openStack('realtime-prod', stackChecks, account.clients);
  expect(opened.url).toBe('https://d111111abcdef8.cloudfront.net');
  expect(opened.checks.map(({ name }) => name)).toEqual(stackChecks.map(({ name }) => name));
  expect(await opened.checks[0]?.run({} as Context)).toMatchObject({
    proved: expect.stringContaining('2 of 2'),
  });
  const missing = new AwsError(400, 'ValidationError', 'Stack with id x does not exist');
  const other = await openAccount({ [describeStacks]: missing });
  accounts.push(other);
  await expect(openStack('x', stackChecks, other.clients)).rejects.toThrow(
    /^the stack x: ValidationError: .+\n.+AWS_REGION/,
  );
});

test('ElastiCache is asked for the cache, the group and the users of this stack alone', async () => {
  const account = await openAccount(wellAnswers());
  accounts.push(account);
  const stack = await readStack('realtime-prod', account.clients);
  await stackChecks.find(({ name }) => name === 'cache-users')?.run(stack, account.clients);
  const asked = account.requests.filter(({ action }) => action.startsWith('elasticache:'));
  expect(asked.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))).toEqual([
    { Action: 'DescribeReplicationGroups', Version: '2015-02-02', ReplicationGroupId: 'rea1abc' },
    { Action: 'DescribeUserGroups', Version: '2015-02-02', UserGroupId: 'realtime-prod-users' },
    {
      Action: 'DescribeUsers',
      Version: '2015-02-02',
      'Filters.member.1.Name': 'user-group-id',
      'Filters.member.1.Values.member.1': 'realtime-prod-users',
    },
  ]);
});

test('without credentials the real SDK says so, and the answer what to do', async () => {
  const saved = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
    AWS_CONFIG_FILE: '/nowhere',
  });
  try {
    const clients = await openClients('us-east-1');
    await expect(readStack('realtime-prod', clients)).rejects.toMatchObject({
      fault: { cause: 'no AWS credentials that are valid now' },
    });
  } finally {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, saved);
  }
});
