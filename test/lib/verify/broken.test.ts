import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { environmentNames } from '../../../app/names.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startInstance, type TestInstance } from '../../support/service.ts';
import { spreadingProxy, stickyProxy, type TestProxy } from './proxies.ts';
import { type Outcome, resultsOf, runVerify, stateFolder } from './run-verify.ts';

const folder = stateFolder();
const light = ['--json', '--clients', '2', '--messages', '5', '--timeout', '10'];
let redis: TestRedis;
/** Two that share a backplane, and one that has none. */
let joined: TestInstance[];
let loner: TestInstance;
let proxy: TestProxy | undefined;

beforeAll(async () => {
  redis = await startRedis();
  const shared = { [environmentNames.redisUrl]: redis.url };
  [loner, ...joined] = await Promise.all([
    startInstance('loner', { [environmentNames.redisUrl]: 'none' }),
    startInstance('one', shared),
    startInstance('two', shared),
  ]);
});

afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

afterAll(async () => {
  await Promise.all([loner, ...joined].map((instance) => instance.kill('SIGKILL')));
  await redis.stop();
  folder.remove();
});

const verifyAt = (url: string, ...words: string[]): Promise<Outcome> =>
  runVerify([...light, '--url', url, ...words], { stateFolder: folder.path });

const statuses = (outcome: Outcome) =>
  Object.fromEntries(Object.entries(resultsOf(outcome)).map(([name, { status }]) => [name, status]));

test('two instances without a backplane fail at delivery, which names it', async () => {
  const other = await startInstance('other', { [environmentNames.redisUrl]: 'none' });
  try {
    proxy = await stickyProxy([loner, other]);
    const only = 'instances,polling,delivery,gap-detection,repeated-id,recovery,each-alone,killed-instance';
    const outcome = await verifyAt(proxy.url, '--timeout', '6', '--only', only);
    expect(outcome.code).toBe(1);
    expect(statuses(outcome)).toEqual({
      instances: 'passed',
      polling: 'passed',
      delivery: 'failed',
      'gap-detection': 'failed',
      'repeated-id': 'failed',
      recovery: 'failed',
      'each-alone': 'passed',
      'killed-instance': 'skipped',
    });
    expect(resultsOf(outcome)['each-alone']).toMatchObject({
      proved: expect.stringMatching(
        /^loner and other through the proxy.*: 40 of 40 deliveries; so what fails in delivery, .* between the instances/,
      ),
    });
    expect(resultsOf(outcome).delivery).toMatchObject({
      found: expect.stringMatching(/^32 of 64 deliveries arrived: 32 lost; .*loner to other lost 16 of 16/),
      cause: expect.stringMatching(/share no backplane.*single-instance/),
      fix: expect.stringContaining('REDIS_URL'),
    });
    for (const name of ['gap-detection', 'repeated-id', 'recovery']) {
      expect(resultsOf(outcome)[name]).toMatchObject({
        cause: expect.stringContaining('share no backplane'),
      });
    }
  } finally {
    await other.kill('SIGKILL');
  }
});

test('one of three without the backplane is told from the others', async () => {
  proxy = await stickyProxy([...joined, loner]);
  const outcome = await verifyAt(proxy.url, '--only', 'delivery', '--instances', '3');
  const { delivery } = resultsOf(outcome);
  expect(outcome.code).toBe(1);
  expect(delivery).toMatchObject({ status: 'failed', cause: expect.stringContaining('no backplane') });
  expect(delivery).toMatchObject({ found: expect.stringContaining('loner') });
  expect(delivery).not.toMatchObject({ found: expect.stringContaining('one to two lost') });
});

test('what would change a topology without a control is skipped, with the reason', async () => {
  proxy = await stickyProxy(joined);
  const only = 'instances,delivery,each-alone,killed-instance,joining-instance';
  const outcome = await verifyAt(proxy.url, '--instances', '2', '--only', only);
  expect(outcome.code).toBe(0);
  expect(JSON.parse(outcome.output)).toMatchObject({ ok: true, passed: 2, failed: 0, skipped: 3 });
  expect(resultsOf(outcome)['each-alone']).toMatchObject({
    status: 'skipped',
    reason: expect.stringContaining('it explains what fails'),
  });
  expect(resultsOf(outcome)['killed-instance']).toMatchObject({
    status: 'skipped',
    reason: expect.stringContaining('only one that `npm start` runs here may be changed'),
  });
});

test('instances with different secrets are told from a token that is no good', async () => {
  const [one, other] = ['first', 'second'].map((word) => `${word} secret of 32 characters or more`);
  const environment = { [environmentNames.redisUrl]: 'none' };
  const instances = await Promise.all(
    [one, other].map((secret, index) =>
      startInstance(`keyed-${index}`, { ...environment, [environmentNames.authSecret]: secret }),
    ),
  );
  try {
    proxy = await stickyProxy(instances);
    const words = [...light, '--url', proxy.url, '--only', 'instances'];
    const secrets = { authSecret: one };
    const outcome = await runVerify(words, { stateFolder: folder.path, secrets });
    expect(resultsOf(outcome).instances).toMatchObject({
      status: 'failed',
      found: expect.stringContaining("the token's signature does not hold"),
      cause: expect.stringContaining('AUTH_SECRET or AUTH_JWKS_URL differs between them'),
      fix: expect.stringContaining('the same secret'),
    });
  } finally {
    await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
  }
});

test('a run that skips everything proves nothing', async () => {
  proxy = await stickyProxy(joined);
  const outcome = await verifyAt(proxy.url, '--only', 'killed-instance');
  expect(outcome.code).toBe(1);
});

test('a proxy without stickiness fails at polling, and later checks still run', async () => {
  proxy = await spreadingProxy(joined.map(({ url }) => url));
  const outcome = await verifyAt(proxy.url, '--only', 'instances,polling,websocket,delivery');
  expect(outcome.code).toBe(1);
  expect(statuses(outcome)).toEqual({
    instances: 'passed',
    polling: 'failed',
    websocket: 'passed',
    delivery: 'passed',
  });
  expect(resultsOf(outcome).polling).toMatchObject({
    found: expect.stringContaining('Session ID unknown'),
    cause: expect.stringContaining('stickiness is off'),
  });
});

test('a hop that drops the cookie is told from stickiness that is off', async () => {
  const sticky = await stickyProxy(joined);
  proxy = await spreadingProxy([sticky.url]);
  const outcome = await verifyAt(proxy.url, '--only', 'polling');
  await sticky.close();
  expect(resultsOf(outcome).polling).toMatchObject({
    status: 'failed',
    cause: expect.stringMatching(/sets AWSALB and AWSALBCORS, and the next request reaches another instance/),
  });
});

test('a proxy that strips the upgrade fails at WebSockets alone, and says what it does', async () => {
  proxy = await spreadingProxy([joined[0]?.url as string], { upgrades: false });
  const outcome = await verifyAt(proxy.url, '--only', 'instances,polling,websocket,websocket-upgrade');
  expect(statuses(outcome)).toEqual({
    instances: 'passed',
    polling: 'passed',
    websocket: 'failed',
    'websocket-upgrade': 'failed',
  });
  for (const [name, found] of [
    ['websocket', /polling works; a plain upgrade gets HTTP\/1.1 400 .*Bad request/],
    ['websocket-upgrade', /^2 of 2 clients stayed with polling: .*; a plain upgrade gets HTTP\/1.1 400/],
  ] as const) {
    expect(resultsOf(outcome)[name]).toMatchObject({
      found: expect.stringMatching(found),
      cause: expect.stringMatching(/does not pass the WebSocket upgrade on: .*Upgrade was stripped/),
      fix: expect.stringContaining('proxy_http_version 1.1'),
    });
  }
});

test('a proxy that cuts idle connections is told with the time that it took', async () => {
  proxy = await spreadingProxy([joined[0]?.url as string], { idleMs: 400 });
  const outcome = await verifyAt(proxy.url, '--only', 'idle-timeout');
  expect(outcome.code).toBe(1);
  expect(resultsOf(outcome)['idle-timeout']).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(
      /a WebSocket was cut after \d{3} ms without traffic.*heartbeat comes every 25/,
    ),
    cause: expect.stringContaining('idle timeout'),
    fix: expect.stringContaining('idle_timeout.timeout_seconds'),
  });
});

test('an idle connection that stays open proves no more than it lasted', async () => {
  proxy = await stickyProxy(joined);
  const outcome = await verifyAt(proxy.url, '--only', 'idle-timeout');
  expect(resultsOf(outcome)['idle-timeout']).toMatchObject({
    status: 'passed',
    proved: expect.stringMatching(/a WebSocket silent for .* and a long poll silent for .*, still open/),
    notProved: [expect.stringContaining('--long waits for two')],
  });
});

test('a proxy that sets no cookie before several instances fails', async () => {
  proxy = await spreadingProxy(joined.map(({ url }) => url));
  const outcome = await verifyAt(proxy.url, '--only', 'stickiness-cookie');
  expect(resultsOf(outcome)['stickiness-cookie']).toMatchObject({
    status: 'failed',
    found: 'the handshake sets no cookie, and 2 instances answer',
    cause: expect.stringContaining('stickiness is off'),
  });
});

test('another service at the URL fails every check in words', async () => {
  const server = createServer((_request, response) => response.writeHead(404).end('no'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const outcome = await verifyAt(url, '--only', 'instances,polling', '--timeout', '2');
  server.close();
  expect(outcome.code).toBe(1);
  expect(resultsOf(outcome).instances).toMatchObject({
    cause: expect.stringContaining('nothing serves /socket.io/'),
  });
  expect(resultsOf(outcome).polling).toMatchObject({
    cause: expect.stringContaining('nothing serves /socket.io/'),
  });
});
