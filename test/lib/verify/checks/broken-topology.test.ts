import type { Check } from '../../../../lib/verify/check.ts';
import { eachAlone } from '../../../../lib/verify/checks/topology/each-alone.ts';
import { joiningInstance } from '../../../../lib/verify/checks/topology/joining-instance.ts';
import { killedInstance } from '../../../../lib/verify/checks/topology/killed-instance.ts';
import { signalrRecovery } from '../../../../lib/verify/checks/topology/signalr-recovery.ts';
import { noTokens } from '../../../../lib/verify/clients/tokens.ts';
import { runChecks } from '../../../../lib/verify/run.ts';
import type { Plan, Result } from '../../../../lib/verify/run-check.ts';
import type { TopologyControl } from '../../../../lib/verify/target/target.ts';
import { describeInFull, isFull } from '../../../support/full-runs.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { type InProcessInstance, startInProcess } from '../in-process-instance.ts';
import { type Outcome, resultsOf, runVerify, stateFolder } from '../run-verify.ts';
import { openBrokenService } from './broken-service.ts';
import { type StickyProxy, spreadingProxy, stickyProxy, type TestProxy } from './proxies.ts';

const folder = stateFolder();
const light = ['--json', '--clients', '2', '--messages', '5', '--timeout', '10'];
let redis: TestRedis;
/** Two that share a backplane, two that do and can't reach each other, and two that have none. */
let joined: InProcessInstance[];
let apart: InProcessInstance[];
let loners: InProcessInstance[];
let sticky: StickyProxy;
const opened: TestProxy[] = [];

beforeAll(async () => {
  redis = await startRedis();
  const unreachable = { REDIS_URL: redis.url, DEPLOYMENT: 'apart', RELAY_HOST: '127.0.0.77' };
  const [one, two, here, there, loner, other] = await Promise.all([
    ...['one', 'two'].map((id) => startInProcess(id, { REDIS_URL: redis.url })),
    ...['here', 'there'].map((id) => startInProcess(id, unreachable)),
    ...['loner', 'other'].map((id) => startInProcess(id, { REDIS_URL: 'none' })),
  ]);
  joined = [one, two] as InProcessInstance[];
  apart = [here, there] as InProcessInstance[];
  loners = [loner, other] as InProcessInstance[];
  sticky = await stickyProxy(joined);
});

afterEach(async () => {
  for (const proxy of opened.splice(0)) await proxy.close();
});

afterAll(async () => {
  await sticky.close();
  await Promise.all([...loners, ...apart, ...joined].map((instance) => instance.stop()));
  await redis.stop();
  folder.remove();
});

async function using<P extends TestProxy>(opening: Promise<P>): Promise<string> {
  const proxy = await opening;
  opened.push(proxy);
  return proxy.url;
}

const verifyAt = (url: string, ...words: string[]): Promise<Outcome> =>
  runVerify([...light, '--url', url, ...words], { stateFolder: folder.path });

const statuses = (outcome: Outcome) =>
  Object.fromEntries(Object.entries(resultsOf(outcome)).map(([name, { status }]) => [name, status]));

describe('through a proxy', () => {
  /** What fails for the same reason, each after its own wait. */
  const failing = ['delivery', ...(isFull('topology') ? ['gap-detection', 'repeated-id', 'recovery'] : [])];

  test('two instances without a backplane fail at delivery, which names it', async () => {
    const url = await using(stickyProxy(loners));
    const only = ['instances', 'polling', ...failing, 'each-alone', 'killed-instance'];
    const outcome = await verifyAt(url, '--only', only.join());
    expect(outcome.code).toBe(1);
    expect(statuses(outcome)).toEqual({
      instances: 'passed',
      polling: 'passed',
      ...Object.fromEntries(failing.map((name) => [name, 'failed'])),
      'each-alone': 'passed',
      'killed-instance': 'not-proved',
    });
    const results = resultsOf(outcome);
    expect(results).toMatchObject({
      'each-alone': {
        proved: expect.stringMatching(
          /^loner and other through the proxy.*: 40 of 40 deliveries; so what fails in delivery.* between the instances/,
        ),
      },
      delivery: {
        found: expect.stringMatching(/^32 of 64 deliveries arrived: 32 lost; .*loner to other lost 16 of 16/),
        cause: expect.stringMatching(/share no backplane.*single-instance/),
        fix: expect.stringContaining('REDIS_URL'),
      },
    });
    for (const name of failing)
      expect(results[name]).toMatchObject({ cause: expect.stringContaining('share no backplane') });
  });

  test('what would change a topology without a control is not proved, with the reason', async () => {
    const only = 'instances,delivery,each-alone,killed-instance,joining-instance';
    const outcome = await verifyAt(sticky.url, '--instances', '2', '--only', only);
    expect(outcome.code).toBe(0);
    expect(JSON.parse(outcome.output)).toMatchObject({ ok: true, passed: 2, failed: 0, notProved: 3 });
    const noControl = expect.stringContaining('only one that `npm start` runs here may be changed');
    expect(resultsOf(outcome)).toMatchObject({
      'each-alone': { status: 'not-proved', reason: expect.stringContaining('it explains what fails') },
      'killed-instance': { status: 'not-proved', reason: noControl },
      'joining-instance': { status: 'not-proved', reason: noControl },
    });
  });

  test('a run that can prove nothing fails', async () => {
    expect((await verifyAt(sticky.url, '--only', 'killed-instance')).code).toBe(1);
  });

  test('instances with different secrets are not taken for a token that is no good', async () => {
    const secrets = ['first', 'second'].map((word) => `${word} secret of 32 characters or more`);
    const keyed = await Promise.all(
      secrets.map((secret, index) =>
        startInProcess(`keyed-${index}`, { REDIS_URL: 'none', AUTH_SECRET: secret }),
      ),
    );
    const url = await using(stickyProxy(keyed));
    const outcome = await runVerify([...light, '--url', url, '--only', 'instances'], {
      stateFolder: folder.path,
      secrets: { authSecret: secrets[0] },
    });
    await Promise.all(keyed.map((instance) => instance.stop()));
    expect(resultsOf(outcome).instances).toMatchObject({
      status: 'failed',
      found: expect.stringContaining("the token's signature does not hold"),
      cause: expect.stringContaining('AUTH_SECRET or AUTH_JWKS_URL differs between them'),
      fix: expect.stringContaining('the same secret'),
    });
  });

  test('where they can not reach each other: polling names it, and later checks still run', async () => {
    const url = await using(spreadingProxy(apart.map((instance) => instance.url)));
    const only = 'instances,polling,websocket,stickiness-cookie,signalr,delivery';
    const outcome = await verifyAt(url, '--only', only);
    expect(outcome.code).toBe(1);
    expect(statuses(outcome)).toEqual({
      instances: 'passed',
      polling: 'failed',
      websocket: 'passed',
      'stickiness-cookie': 'failed',
      signalr: 'failed',
      delivery: 'passed',
    });
    expect(resultsOf(outcome)).toMatchObject({
      polling: {
        found: expect.stringContaining('Session ID unknown'),
        cause: expect.stringContaining('stickiness is off'),
      },
      'stickiness-cookie': {
        found: expect.stringMatching(
          /^the handshake sets no cookie, 2 instances answer, and \d+ of 28 requests/,
        ),
        cause: expect.stringContaining('the instances do not relay to each other'),
      },
      signalr: {
        found:
          '12 of 12 connections that were negotiated without cookies are unknown where their poll arrived (HTTP 404)',
        cause: expect.stringMatching(/^"No Connection with that ID": the instances can not relay/),
        fix: expect.stringContaining('RELAY_HOST; one Redis for all'),
      },
    });
  });

  test('a proxy that strips the upgrade fails at WebSockets alone, and what it does is said', async () => {
    const url = await using(spreadingProxy([joined[0]?.url as string], { upgrades: false }));
    const only = 'instances,polling,websocket,websocket-upgrade,signalr';
    const outcome = await verifyAt(url, '--only', only);
    expect(statuses(outcome)).toEqual({
      instances: 'passed',
      polling: 'passed',
      websocket: 'failed',
      'websocket-upgrade': 'failed',
      signalr: 'failed',
    });
    expect(resultsOf(outcome).signalr).toMatchObject({
      found: expect.stringMatching(/^by WebSockets: /),
      cause: 'a proxy does not pass the WebSocket upgrade on to the hub, as polls work there',
      fix: expect.stringContaining('proxy_http_version 1.1'),
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

  async function failsWithEventsAlone(buffers: 'responses' | 'bodies'): Promise<void> {
    const url = await using(spreadingProxy([joined[0]?.url as string], { buffers }));
    const outcome = await verifyAt(url, '--only', 'polling,signalr');
    expect(outcome.code).toBe(1);
    expect(resultsOf(outcome)).toMatchObject({
      polling: { status: 'passed' },
      signalr: {
        status: 'failed',
        found: 'by Server-Sent Events: nothing came within 10 s',
        cause: 'a proxy holds back or ends responses that go on, as polls work there',
        fix: expect.stringMatching(/switch off its buffering .*text\/event-stream .*proxy_buffering off/),
      },
    });
  }

  test('a proxy that buffers all of Server-Sent Events fails with these alone', () =>
    failsWithEventsAlone('responses'));

  test('an idle connection that stays open proves no more than it lasted', async () => {
    const outcome = await verifyAt(sticky.url, '--only', 'idle-timeout');
    expect(resultsOf(outcome)['idle-timeout']).toMatchObject({
      status: 'passed',
      proved: expect.stringMatching(/a WebSocket silent for .* and a long poll silent for .*, still open/),
      notProved: [expect.stringContaining('--long waits for two')],
    });
  });

  describeInFull('topology', 'of other kinds', () => {
    test('a proxy that buffers Server-Sent Events behind their head fails with these alone', () =>
      failsWithEventsAlone('bodies'));

    test('one of three without the backplane is named beside the others', async () => {
      const url = await using(stickyProxy([...joined, ...loners.slice(0, 1)]));
      const outcome = await verifyAt(url, '--timeout', '4', '--only', 'delivery', '--instances', '3');
      const { delivery } = resultsOf(outcome);
      expect(outcome.code).toBe(1);
      expect(delivery).toMatchObject({ status: 'failed', cause: expect.stringContaining('no backplane') });
      expect(delivery).toMatchObject({ found: expect.stringContaining('loner') });
      expect(delivery).not.toMatchObject({ found: expect.stringContaining('one to two lost') });
    });

    test('without stickiness and cookies all holds: instances relay to each other', async () => {
      const url = await using(spreadingProxy(joined.map((instance) => instance.url)));
      const only = 'instances,polling,websocket,stickiness-cookie,signalr,delivery';
      const outcome = await verifyAt(url, '--only', only);
      expect(outcome.code).toBe(0);
      expect(resultsOf(outcome)).toMatchObject({
        'stickiness-cookie': {
          status: 'passed',
          proved: 'no cookie is set, and none is needed: 28 requests of 7 sessions on 2 instances, 0 astray',
        },
        signalr: {
          status: 'passed',
          proved: expect.stringMatching(
            /^12 negotiations without cookies, 0 connections unknown; 5 clients by /,
          ),
        },
      });
    });

    test('a hop that drops the cookie is not taken for stickiness that is off', async () => {
      const behind = await using(stickyProxy(apart));
      const url = await using(spreadingProxy([behind]));
      const outcome = await verifyAt(url, '--only', 'polling');
      expect(resultsOf(outcome).polling).toMatchObject({
        status: 'failed',
        cause: expect.stringMatching(
          /sets AWSALB and AWSALBCORS, and the next request reaches another instance/,
        ),
      });
    });

    test('a proxy that cuts idle connections is named with the time that it took', async () => {
      const url = await using(spreadingProxy([joined[0]?.url as string], { idleMs: 400 }));
      const outcome = await verifyAt(url, '--only', 'idle-timeout');
      expect(outcome.code).toBe(1);
      expect(resultsOf(outcome)['idle-timeout']).toMatchObject({
        status: 'failed',
        found: expect.stringMatching(
          /a WebSocket was cut after .+ without traffic.*heartbeat comes every 25/,
        ),
        cause: expect.stringContaining('idle timeout'),
        fix: expect.stringContaining('idle_timeout.timeout_seconds'),
      });
    });

    test.each([
      [
        'of other paths alone answers 404',
        { closed: /^\/chathub/ },
        /^POST \/chathub\/negotiate gets HTTP 404/,
      ],
      ['drops queries', { withoutQuery: /^\/chathub\?/ }, /^12 of 12 connections .* unknown .*HTTP 40\d/],
    ])('a proxy that %s fails with SignalR alone', async (_what, options, found) => {
      const url = await using(spreadingProxy([joined[0]?.url as string], options));
      const outcome = await verifyAt(url, '--only', 'polling,signalr');
      expect(outcome.code).toBe(1);
      expect(resultsOf(outcome)).toMatchObject({
        polling: { status: 'passed' },
        signalr: {
          status: 'failed',
          found: expect.stringMatching(found),
          cause: expect.stringMatching(
            'closed' in options ? /a proxy passes only some paths on/ : /a proxy drops the query/,
          ),
        },
      });
    });
  });
});

describe('with a control', () => {
  /** A control of which only a part works. */
  function controlThat(change: Partial<TopologyControl>): TopologyControl {
    const fails = () => Promise.reject(new Error('not here'));
    return {
      instances: async () => joined.map(({ id, url }, index) => ({ id, url, pid: index + 1, serving: true })),
      add: fails,
      remove: fails,
      kill: fails,
      ...change,
    };
  }

  async function run(check: Check, control: TopologyControl, more: Partial<Plan> = {}): Promise<Result> {
    const plan: Plan = {
      target: { url: sticky.url, control },
      tokens: noTokens,
      load: { clients: 2, messages: 5 },
      timeoutMs: 20_000,
      signal: new AbortController().signal,
      ...more,
    };
    const progress = { started: () => undefined, finished: () => undefined };
    const [result] = await runChecks([check], plan, progress);
    return result as Result;
  }

  test('an instance that joins and gets no clients fails, and is taken away', async () => {
    const removed: string[] = [];
    let added = false;
    const control = controlThat({
      instances: async () => [
        ...joined.map(({ id, url }) => ({ id, url, serving: true })),
        ...(added ? ['ghost', 'of somebody else'].map((id) => ({ id, serving: true })) : []),
      ],
      add: async () => {
        added = true;
        return 'ghost';
      },
      remove: async (id) => void removed.push(id),
    });
    expect(await run(joiningInstance, control)).toMatchObject({
      status: 'failed',
      found: 'ghost got 0 of 24 new clients; half of its fair share is 4',
      cause: expect.stringContaining('never sends clients to the new instance'),
    });
    expect(removed).toEqual(['ghost']);
  });

  test('a start that fails is said in its own words', async () => {
    expect(await run(joiningInstance, controlThat({}))).toMatchObject({
      status: 'failed',
      found: 'the check could not be finished: not here',
    });
  });

  test('without Redis no instance is added, with the reason', async () => {
    expect(await run(joiningInstance, controlThat({}), { isSingleInstance: true })).toMatchObject({
      status: 'not-proved',
      reason: expect.stringContaining('without Redis (single-instance mode)'),
    });
  });

  test('each alone names the instance that is at fault beside the others and the proxy', async () => {
    const { url, close } = await openBrokenService({
      isOpen: true,
      publish: ({ epoch }) => ({ epoch, offset: 1 }),
    });
    const control = controlThat({
      instances: async () => [
        { id: 'one', url: joined[0]?.url as string, serving: true },
        { id: 'only', url, serving: true },
        { id: 'down', serving: false },
      ],
    });
    const result = await run(eachAlone, control);
    await close();
    expect(result).toMatchObject({
      status: 'failed',
      found: expect.stringMatching(
        /^only alone: 20 of 20 deliveries arrived: 9 acknowledged at another .*; down alone: is down; one alone: right$/,
      ),
      cause: 'it is only and down and neither the proxy nor the others',
      fix: expect.stringContaining('compare its environment'),
    });
  });

  test('a kill that is rejected leaves nothing to wait for', async () => {
    expect(await run(killedInstance, controlThat({}))).toMatchObject({
      status: 'failed',
      found: 'the check could not be finished: not here',
    });
  });

  test('with one instance alone nothing is killed', async () => {
    const single = controlThat({ instances: async () => [{ id: 'one', serving: true }] });
    expect(await run(killedInstance, single)).toMatchObject({
      status: 'not-proved',
      reason: expect.stringContaining('at least two instances'),
    });
  });

  test('a kill after which Redis has lost the rooms fails, though every client came back', async () => {
    let pid = 2;
    const control = controlThat({
      instances: async () =>
        joined.map(({ id, url }, index) => ({ id, url, pid: index === 1 ? pid : 1, serving: true })),
      kill: async (id) => {
        const index = joined.findIndex((instance) => instance.id === id);
        const { port, stop } = joined[index] as InProcessInstance;
        // Behind it, clients that came back fast would have nothing that is lost.
        await onRedis(redis.port, (connection) => connection.flushall());
        await stop();
        joined[index] = await startInProcess(id, { REDIS_URL: redis.url }, port);
        await sticky.allHealthy();
        pid += 1;
      },
    });
    expect(await run(killedInstance, control, { timeoutMs: 10_000 })).toMatchObject({
      status: 'failed',
      found: expect.stringMatching(
        /^of what was sent while two was killed: .* loss(es)? notified to clients/,
      ),
      cause: expect.stringContaining('Redis lost writes'),
      fix: expect.stringContaining('failover'),
    });
  });

  describeInFull('topology', 'an instance that does not come back', () => {
    test("SignalR's clients that do not come back fail, with the transport and the proxy's part in it", async () => {
      const control = controlThat({ kill: async () => undefined });
      expect(await run(signalrRecovery, control, { timeoutMs: 4_000 })).toMatchObject({
        status: 'failed',
        found: expect.stringMatching(
          /^\d+ of \d+ clients of (one|two) did not come back within 4 s: by .*; the topology could not be put back/,
        ),
        cause: expect.stringContaining('the proxy still sends requests to the dead instance'),
        fix: expect.stringContaining('proxy_next_upstream'),
      });
    });

    test('a killed instance that stays away fails, though its clients came back', async () => {
      const [, two] = joined as [InProcessInstance, InProcessInstance];
      let isDown = false;
      const control = controlThat({
        instances: async () =>
          joined.map(({ id, url }, index) =>
            isDown && id === two.id ? { id, serving: false } : { id, url, pid: index + 1, serving: true },
          ),
        kill: async () => {
          isDown = true;
          await two.stop();
        },
      });
      expect(await run(killedInstance, control, { timeoutMs: 8_000 })).toMatchObject({
        status: 'failed',
        found:
          'the topology could not be put back (wait for two to be back): two was not started again within 8 s',
      });
      // The next ones find one instance that is down.
      expect(await run(joiningInstance, control)).toMatchObject({
        status: 'failed',
        found: expect.stringMatching(/^two never answered in \d+ connections/),
        cause: 'the instance does not serve (two alone: down)',
      });
    });
  });
});
