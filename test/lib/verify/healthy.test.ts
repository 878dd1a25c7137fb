import { Topology } from '../../../lib/local/topology.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { redisBinary } from '../../support/redis/redis.ts';
import { eventually } from '../../support/wait.ts';
import { resultsOf, runVerify, stateFolder } from './run-verify.ts';

const folder = stateFolder();
let topology: Topology;

beforeAll(async () => {
  topology = new Topology({
    instances: 2,
    port: 0,
    redisBinary,
    environment: { PATH: process.env.PATH },
    folder: folder.path,
    print: () => undefined,
  });
  await topology.start();
});

afterAll(async () => {
  await topology.stop();
  folder.remove();
});

/** The instances, and whether the load balancer sends them clients. */
const instances = () =>
  topology
    .status()
    .processes.filter(({ kind }) => kind === 'instance')
    .map(({ id, health }) => ({ id, health }));

const asStarted = [
  { id: 'app-1', health: 'healthy' },
  { id: 'app-2', health: 'healthy' },
];

test('every check passes on two instances that share a backplane, and leaves them as they were', async () => {
  const words = ['--json', '--clients', '3', '--messages', '10'];
  const outcome = await runVerify(words, { stateFolder: folder.path });
  const results = resultsOf(outcome);
  // Named, with what they found: a code alone would not say why.
  expect(Object.values(results).filter(({ status }) => status !== 'passed')).toEqual([]);
  expect(outcome.code).toBe(0);
  expect(JSON.parse(outcome.output)).toMatchObject({ tokens: 'guests', passed: 19 });
  expect(Object.values(results).map(({ name, status }) => `${name} ${status}`)).toEqual([
    'instances passed',
    'readiness passed',
    'polling passed',
    'websocket passed',
    'websocket-upgrade passed',
    'stickiness-cookie passed',
    'signalr passed',
    'authorization passed',
    'delivery passed',
    'gap-detection passed',
    'repeated-id passed',
    'recovery passed',
    'ai-stream passed',
    'idle-timeout passed',
    'each-alone passed',
    'presence passed',
    'killed-instance passed',
    'signalr-recovery passed',
    'joining-instance passed',
  ]);
  expect(results).toMatchObject({
    instances: { proved: expect.stringMatching(/^2 of 2 instances answered .*: app-1, app-2$/) },
    polling: { proved: expect.stringContaining('40 round trips, 0 unknown sessions') },
    'websocket-upgrade': { proved: expect.stringMatching(/^4 of 4 clients on 2 instances upgraded/) },
    'stickiness-cookie': {
      proved: expect.stringMatching(/^AWSALB \(no SameSite\) and AWSALBCORS \(SameSite=None\): .* 0 astray$/),
      notProved: [expect.stringContaining('over HTTP browsers send none')],
    },
    signalr: {
      proved: expect.stringMatching(
        /^12 negotiations without cookies, 0 connections unknown; 5 clients by .*: 125 of 125 deliveries in order, and as many by streams on [12] instances?$/,
      ),
    },
    authorization: {
      proved: expect.stringMatching(
        /a foreign origin is rejected .*; with it they reach members on 2 instances/,
      ),
    },
    'ai-stream': {
      proved: expect.stringMatching(
        /chunks of an answer at each of 4 clients on 2 instances, once, in order .*app-2 to app-1 once.*cancelled from app-1 and app-2 at once, ended once$/,
      ),
    },
    'each-alone': { proved: expect.stringMatching(/^app-1 and app-2 past the proxy: 80 of 80 deliveries$/) },
    presence: {
      proved: expect.stringMatching(
        /^6 clients on 2 instances see one another; all 4 notified of 2 users that went .*\(app-1 to app-2\) not shown as left/,
      ),
    },
    // 6 clients hear the 10 messages of each of the 6.
    delivery: { proved: expect.stringContaining('360 of 360 deliveries, exactly once and in order') },
    // Each of 4 listeners hears 10 messages of each of the 4.
    'gap-detection': {
      proved: expect.stringMatching(/^160 offsets delivered, 0 skipped; .* 8 of 8 good .*; 12 of 12 bad/),
    },
    // 4 senders with two messages each, one that a sender publishes on both instances, and the last one.
    'repeated-id': {
      proved: expect.stringMatching(/^9 messages .*; 40 deliveries, none twice; .*app-1 to app-2/),
    },
    recovery: {
      proved: expect.stringMatching(
        /^8 clients \(2 by polling\) cut off .* came back on another instance \(app-1 to app-2/,
      ),
    },
    'killed-instance': {
      proved: expect.stringMatching(
        /^3 clients of app-2 back .* acknowledged meanwhile: .* in order, 0 lost; then 360 of 360/,
      ),
    },
    'signalr-recovery': {
      proved: expect.stringMatching(
        /^\d of 10 clients were on app-\d, by .*: back in .*; \d+ messages acknowledged meanwhile: .* in order, 0 lost$/,
      ),
    },
    // 9 clients on three instances.
    'joining-instance': {
      proved: expect.stringMatching(/^app-3 took \d+ of 24 new clients; 810 of 810 .* under way meanwhile/),
    },
  });
  expect(instances()).toEqual(asStarted);
});

describeInFull('topology', 'all that could need stickiness passes behind a proxy without it that', () => {
  test('answers 502 for dead instances', () => passesWithoutStickiness('answer 502'));
  test('drops dead instances', () => passesWithoutStickiness('skip'));
});

/** What a proxy without stickiness may break. */
const sticky = [
  'instances',
  'polling',
  'stickiness-cookie',
  'killed-instance',
  'websocket',
  'websocket-upgrade',
  'signalr',
  'delivery',
  'recovery',
  'signalr-recovery',
];

async function passesWithoutStickiness(dead: 'skip' | 'answer 502'): Promise<void> {
  const own = stateFolder();
  const spreading = new Topology({
    instances: 3,
    port: 0,
    roundRobin: true,
    dead,
    redisBinary,
    environment: { PATH: process.env.PATH },
    folder: own.path,
    print: () => undefined,
  });
  await spreading.start();
  const outcome = await runVerify(['--json', '--clients', '2', '--messages', '5', '--only', sticky.join()], {
    stateFolder: own.path,
  });
  await spreading.stop();
  own.remove();
  const results = Object.values(resultsOf(outcome));
  expect(results.filter(({ status }) => status !== 'passed')).toEqual([]);
  expect(results).toHaveLength(sticky.length);
  expect(outcome.code).toBe(0);
}

test('Ctrl-C in the middle of a change puts the topology back', async () => {
  const interrupted = new AbortController();
  const running = runVerify(['--only', 'joining-instance', '--timeout', '60'], {
    stateFolder: folder.path,
    signal: interrupted.signal,
  });
  await eventually('an instance to be added', () => instances().length === 3);
  interrupted.abort(new Error('SIGINT'));
  const { code, output } = await running;
  expect(code).toBe(130);
  expect(output).toContain('Interrupted; the topology is as it was.');
  expect(instances()).toEqual(asStarted);
});

test('a number of instances that is not there is a failure', async () => {
  const words = ['--json', '--only', 'instances', '--instances', '3'];
  const outcome = await runVerify(words, { stateFolder: folder.path });
  expect(outcome.code).toBe(1);
  expect(resultsOf(outcome).instances).toMatchObject({
    status: 'failed',
    found: expect.stringContaining('2 of 3 instances answered'),
  });
});
