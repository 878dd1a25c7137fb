import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type DeploymentStatusReader,
  openDeploymentStatusReader,
} from '../../../livekit/sidecar/deployment-status.ts';
import { createLogger } from '../../../livekit/sidecar/logger.ts';
import {
  type Decision,
  decide,
  openProtection,
  ProtectionManager,
  type TaskState,
} from '../../../livekit/sidecar/protection-manager.ts';
import { readLoad } from '../../../livekit/sidecar/readings.ts';
import { awsEnvironment, type EcsHost, startEcsHost } from '../support/ecs-host.ts';

const minute = 60_000;
const lines: string[] = [];
const logger = createLogger({ namespace: undefined, dimensions: {}, write: (line) => lines.push(line) });
let host: EcsHost;
let deploymentStatus: DeploymentStatusReader;
let metrics: Server;
let metricsUrl: string;
let response: { status: number; type: string; body: string };
let drained: number;
let manager: ProtectionManager;
/** Time passes from check to check. */
let now: number;

const before = { ...process.env };
beforeEach(async () => {
  host = await startEcsHost();
  Object.assign(process.env, awsEnvironment(host));
  deploymentStatus = openDeploymentStatusReader({
    metadataUri: host.metadataUri,
    pollMs: 12_000,
    steadyMs: 8 * minute,
  });
  metrics = createServer((_request, reply) => {
    reply.writeHead(response.status, { 'content-type': response.type });
    reply.end(response.body);
  });
  await new Promise<void>((resolve) => metrics.listen(0, '127.0.0.1', resolve));
  metricsUrl = `http://127.0.0.1:${(metrics.address() as AddressInfo).port}/metrics`;
  now = Date.now();
  drained = 0;
  lines.length = 0;
  manager = new ProtectionManager({
    limits: { maxCallDrainMs: 60 * minute, maxProtectionMs: 24 * 60 * minute },
    protection: openProtection(host.agentUri),
    readLoad: () => readLoad(metricsUrl),
    readDeploymentStatus: (at) => deploymentStatus.read(at),
    drain: () => {
      drained += 1;
    },
    logger,
  });
});
afterEach(async () => {
  deploymentStatus.close();
  metrics.close();
  metrics.closeAllConnections();
  await host.stop();
  process.env = { ...before };
});

/** A short form of what LiveKit's endpoint responds. */
const participants = (count: number) => {
  const body = [
    '# TYPE livekit_participant_total gauge',
    `livekit_participant_total{node_id="ND_1",node_type="SERVER"} ${count}`,
    'livekit_room_total{node_id="ND_1",node_type="SERVER"} 1',
    '',
  ];
  response = { status: 200, type: 'text/plain; version=0.0.4', body: body.join('\n') };
};
const check = async (afterMinutes = 0) => {
  now += afterMinutes * minute;
  await manager.check(now);
};

test('protects while there are participants, renews the protection in time, and releases it', async () => {
  participants(0);
  await check();
  expect(host.asked).toEqual([]);
  participants(2);
  await check();
  await check(1);
  await check(5);
  expect(host.asked).toEqual([
    { ProtectionEnabled: true, ExpiresInMinutes: 10 },
    { ProtectionEnabled: true, ExpiresInMinutes: 10 },
  ]);
  participants(0);
  await check(1);
  await check(1);
  expect(host.asked.slice(2)).toEqual([{ ProtectionEnabled: false }]);
});

test('a superseded task drains once its successors have run for a while, and is released when the time for calls is over', async () => {
  participants(1);
  host.primary = { id: 'ecs-svc/2', createdAt: new Date(now), desiredCount: 2, runningCount: 1 };
  await check();
  expect([drained, host.asked.at(-1)?.ProtectionEnabled]).toEqual([0, true]);
  host.primary.runningCount = 2;
  await check(1);
  await check(7);
  expect([drained, host.asked.at(-1)?.ProtectionEnabled]).toEqual([0, true]);
  await check(1);
  await check(1);
  expect([drained, host.asked.at(-1)?.ProtectionEnabled]).toEqual([1, true]);
  await check(48);
  expect(host.asked.at(-1)?.ProtectionEnabled).toBe(true);
  await check(3);
  expect(host.asked.at(-1)).toEqual({ ProtectionEnabled: false });
  expect(lines.join('\n')).toContain('call drain is over');
});

test('successors that ECS counts as running, but replaces again and again, make nobody drain', async () => {
  participants(1);
  host.primary = {
    id: 'ecs-svc/2',
    createdAt: new Date(now),
    desiredCount: 2,
    runningCount: 2,
    failedTasks: 0,
  };
  for (let failedTasks = 0; failedTasks < 5; failedTasks += 1) {
    Object.assign(host.primary, { failedTasks });
    await check(7);
  }
  expect(drained).toBe(0);
  // The circuit breaker takes it back: the old task is current again.
  host.primary = {
    id: 'ecs-svc/1',
    createdAt: new Date(now),
    desiredCount: 2,
    runningCount: 2,
    failedTasks: 0,
  };
  for (let minutes = 0; minutes < 20; minutes += 5) await check(5);
  expect(drained).toBe(0);
});

test('ECS is asked every 10 to 15 seconds, however often the task is checked', async () => {
  participants(1);
  const spy = jest.spyOn(host, 'describedServices');
  for (let seconds = 0; seconds < 60; seconds += 1) await check(1 / 60);
  expect(spy.mock.calls.length).toBeGreaterThanOrEqual(4);
  expect(spy.mock.calls.length).toBeLessThanOrEqual(7);
});

test('a task that is never empty is released after a day, once, until it was empty', async () => {
  participants(1);
  for (let hours = 0; hours <= 25; hours += 1) await check(60);
  const afterDay = host.asked.length;
  expect(host.asked.at(-1)).toEqual({ ProtectionEnabled: false });
  await check(60);
  expect(host.asked.length).toBe(afterDay);
  participants(0);
  await check();
  participants(1);
  await check();
  expect(host.asked.at(-1)?.ProtectionEnabled).toBe(true);
});

test('DEPLOYMENT_BLOCKED is logged once, reported as a metric, and retried', async () => {
  participants(1);
  host.failure = { Arn: 'arn', Detail: null, Reason: 'DEPLOYMENT_BLOCKED' };
  await check();
  await check();
  expect(manager.state).toMatchObject({ isBlocked: true, isProtected: false });
  expect(lines.filter((line) => line.includes('DEPLOYMENT_BLOCKED')).length).toBe(1);
  host.failure = undefined;
  await check();
  expect(manager.state).toMatchObject({ isBlocked: false, isProtected: true });
});

test('a task that has become empty is no longer blocked', async () => {
  participants(1);
  host.failure = { Arn: 'arn', Detail: null, Reason: 'DEPLOYMENT_BLOCKED' };
  await check();
  expect(manager.state.isBlocked).toBe(true);
  participants(0);
  await check();
  expect(manager.state.isBlocked).toBe(false);
});

test('an endpoint that fails, or has other metrics, changes nothing', async () => {
  participants(1);
  await check();
  response = { status: 500, type: 'text/plain', body: '' };
  await check(6);
  response = { status: 200, type: 'text/plain', body: 'up 1\n' };
  await check(6);
  expect(host.asked.length).toBe(1);
  expect(manager.state.load).toBeUndefined();
});

test('if the ECS API refuses, calls stay protected', async () => {
  participants(1);
  host.isDenied = true;
  await check();
  expect(host.asked).toEqual([{ ProtectionEnabled: true, ExpiresInMinutes: 10 }]);
  expect(lines.join('\n')).toContain('not authorized');
  expect(drained).toBe(0);
});

test.each([
  ['in JavaScript', { active_jobs: 0 }],
  // Protobuf's JSON leaves zeros out.
  ['in Python', { worker_type: 'JT_ROOM', agent_name: 'voice', sdk_version: '1.8.9', protocol_version: 1 }],
])('an agent’s worker %s is protected while it has jobs', async (_, idle) => {
  const answer = (body: object) => {
    response = { status: 200, type: 'application/json', body: JSON.stringify(body) };
  };
  answer({ ...idle, active_jobs: 2 });
  await check();
  answer(idle);
  await check();
  expect(host.asked.map(({ ProtectionEnabled }) => ProtectionEnabled)).toEqual([true, false]);
});

test('what does not answer as a worker does says nothing about jobs', async () => {
  response = { status: 200, type: 'application/json', body: '{"ok":true}' };
  await check();
  expect(host.asked).toEqual([]);
  expect(lines.join('\n')).toContain('the response is not that of a worker');
});

describe('the decision', () => {
  const minutes = (count: number) => count * minute;
  const limits = { maxCallDrainMs: minutes(60), maxProtectionMs: minutes(24 * 60) };
  const at = minutes(100_000);
  const current = { load: 3, busySince: at - minutes(5), supersededAt: undefined, isReplaced: true };
  const superseded = { ...current, supersededAt: at - minutes(10) };

  test.each<[string, Omit<TaskState, 'now'>, Decision]>([
    ['there are participants', current, { protect: true, drain: false, reason: 'busy' }],
    [
      'there are none',
      { ...current, load: 0, busySince: undefined },
      { protect: false, drain: false, reason: 'empty' },
    ],
    [
      'their number is not known',
      { ...current, load: undefined },
      { protect: undefined, drain: false, reason: 'unknown' },
    ],
    [
      'there have been participants for a day',
      { ...current, busySince: at - minutes(24 * 60) },
      { protect: false, drain: false, reason: 'was never empty' },
    ],
    [
      'its successors are starting',
      { ...superseded, isReplaced: false },
      { protect: true, drain: false, reason: 'busy' },
    ],
    ['its successors run', superseded, { protect: true, drain: true, reason: 'busy' }],
    [
      'its successors run, and it is empty',
      { ...superseded, load: 0 },
      { protect: false, drain: true, reason: 'empty' },
    ],
    [
      'the time for its calls is over, even if successors never came',
      { ...superseded, supersededAt: at - minutes(60), isReplaced: false },
      { protect: false, drain: true, reason: 'call drain is over' },
    ],
  ])('%s', (_case, state, decision) => {
    expect(decide({ now: at, ...state }, limits)).toEqual(decision);
  });
});
