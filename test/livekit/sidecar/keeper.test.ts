import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openStandingReader, type StandingReader } from '../../../livekit/sidecar/deployment.ts';
import { Keeper } from '../../../livekit/sidecar/keeper.ts';
import { readLoad } from '../../../livekit/sidecar/load.ts';
import { createLog } from '../../../livekit/sidecar/log.ts';
import { openProtection } from '../../../livekit/sidecar/protection.ts';
import { awsEnvironment, type EcsHost, startEcsHost } from '../support/ecs-host.ts';

const minute = 60_000;
const lines: string[] = [];
const log = createLog({ namespace: undefined, dimensions: {}, write: (line) => lines.push(line) });
let host: EcsHost;
let standing: StandingReader;
let metrics: Server;
let metricsUrl: string;
let answer: { status: number; type: string; body: string };
let drained: number;
let keeper: Keeper;
/** Time goes by look by look. */
let now: number;

const before = { ...process.env };
beforeEach(async () => {
  host = await startEcsHost();
  Object.assign(process.env, awsEnvironment(host));
  standing = openStandingReader(host.metadataUri);
  metrics = createServer((_request, response) => {
    response.writeHead(answer.status, { 'content-type': answer.type });
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => metrics.listen(0, '127.0.0.1', resolve));
  metricsUrl = `http://127.0.0.1:${(metrics.address() as AddressInfo).port}/metrics`;
  now = Date.now();
  drained = 0;
  lines.length = 0;
  keeper = new Keeper({
    limits: { maxCallDrainMs: 60 * minute, maxProtectionMs: 24 * 60 * minute },
    protection: openProtection(host.agentUri),
    readLoad: () => readLoad(metricsUrl),
    readStanding: () => standing.read(),
    drain: () => {
      drained += 1;
    },
    log,
  });
});
afterEach(async () => {
  standing.close();
  metrics.close();
  metrics.closeAllConnections();
  await host.stop();
  process.env = { ...before };
});

/** As LiveKit's endpoint says it, shortened. */
const participants = (count: number) => {
  const body = [
    '# TYPE livekit_participant_total gauge',
    `livekit_participant_total{node_id="ND_1",node_type="SERVER"} ${count}`,
    'livekit_room_total{node_id="ND_1",node_type="SERVER"} 1',
    '',
  ];
  answer = { status: 200, type: 'text/plain; version=0.0.4', body: body.join('\n') };
};
const look = async (afterMinutes = 0) => {
  now += afterMinutes * minute;
  await keeper.look(now);
};

test('protects while somebody is there, renews it in time, and lets go', async () => {
  participants(0);
  await look();
  expect(host.asked).toEqual([]);
  participants(2);
  await look();
  await look(1);
  await look(5);
  expect(host.asked).toEqual([
    { ProtectionEnabled: true, ExpiresInMinutes: 10 },
    { ProtectionEnabled: true, ExpiresInMinutes: 10 },
  ]);
  participants(0);
  await look(1);
  await look(1);
  expect(host.asked.slice(2)).toEqual([{ ProtectionEnabled: false }]);
});

test('a superseded task drains once its successors run, and is let go when its calls had their time', async () => {
  participants(1);
  host.primary = { id: 'ecs-svc/2', createdAt: new Date(now), desiredCount: 2, runningCount: 1 };
  await look();
  expect([drained, host.asked.at(-1)?.ProtectionEnabled]).toEqual([0, true]);
  host.primary.runningCount = 2;
  await look(1);
  await look(1);
  expect([drained, host.asked.at(-1)?.ProtectionEnabled]).toEqual([1, true]);
  await look(56);
  expect(host.asked.at(-1)?.ProtectionEnabled).toBe(true);
  await look(3);
  expect(host.asked.at(-1)).toEqual({ ProtectionEnabled: false });
  expect(lines.join('\n')).toContain('call drain is over');
});

test('a task that is never empty is let go after a day, once, until it was empty', async () => {
  participants(1);
  for (let hours = 0; hours <= 25; hours += 1) await look(60);
  const afterDay = host.asked.length;
  expect(host.asked.at(-1)).toEqual({ ProtectionEnabled: false });
  await look(60);
  expect(host.asked.length).toBe(afterDay);
  participants(0);
  await look();
  participants(1);
  await look();
  expect(host.asked.at(-1)?.ProtectionEnabled).toBe(true);
});

test('DEPLOYMENT_BLOCKED is told once, reported, and tried again', async () => {
  participants(1);
  host.failure = { Arn: 'arn', Detail: null, Reason: 'DEPLOYMENT_BLOCKED' };
  await look();
  await look();
  expect(keeper.state).toMatchObject({ isBlocked: true, isProtected: false });
  expect(lines.filter((line) => line.includes('DEPLOYMENT_BLOCKED')).length).toBe(1);
  host.failure = undefined;
  await look();
  expect(keeper.state).toMatchObject({ isBlocked: false, isProtected: true });
});

test('a task that has become empty is refused nothing any more', async () => {
  participants(1);
  host.failure = { Arn: 'arn', Detail: null, Reason: 'DEPLOYMENT_BLOCKED' };
  await look();
  expect(keeper.state.isBlocked).toBe(true);
  participants(0);
  await look();
  expect(keeper.state.isBlocked).toBe(false);
});

test('metrics that do not answer, or are others, change nothing', async () => {
  participants(1);
  await look();
  answer = { status: 500, type: 'text/plain', body: '' };
  await look(6);
  answer = { status: 200, type: 'text/plain', body: 'up 1\n' };
  await look(6);
  expect(host.asked.length).toBe(1);
  expect(keeper.state.load).toBeUndefined();
});

test('an ECS API that refuses leaves calls protected', async () => {
  participants(1);
  host.isDenied = true;
  await look();
  expect(host.asked).toEqual([{ ProtectionEnabled: true, ExpiresInMinutes: 10 }]);
  expect(lines.join('\n')).toContain('not authorized');
  expect(drained).toBe(0);
});

test('an agent’s worker is protected while it has jobs', async () => {
  answer = { status: 200, type: 'application/json', body: JSON.stringify({ active_jobs: 2 }) };
  await look();
  answer = { status: 200, type: 'application/json', body: JSON.stringify({ active_jobs: 0 }) };
  await look();
  expect(host.asked.map(({ ProtectionEnabled }) => ProtectionEnabled)).toEqual([true, false]);
});
