import { once } from 'node:events';
import { connect } from 'node:net';
import { environmentNames } from '../../../app/names.ts';
import { eachAlone } from '../../../lib/verify/checks/each-alone.ts';
import { joiningInstance } from '../../../lib/verify/checks/joining-instance.ts';
import { killedInstance } from '../../../lib/verify/checks/killed-instance.ts';
import { runChecks } from '../../../lib/verify/run.ts';
import type { TopologyControl } from '../../../lib/verify/target.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startInstance, type TestInstance } from '../../support/service.ts';
import { openBrokenHub } from './broken-hub.ts';
import { type StickyProxy, stickyProxy } from './proxies.ts';

let redis: TestRedis;
let instances: TestInstance[];
let proxy: StickyProxy;

beforeAll(async () => {
  redis = await startRedis();
  const shared = { [environmentNames.redisUrl]: redis.url };
  instances = await Promise.all(['one', 'two'].map((id) => startInstance(id, shared)));
  proxy = await stickyProxy(instances);
});

afterAll(async () => {
  await proxy.close();
  await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
  await redis.stop();
});

/** A control of which only a part works. */
function controlThat(change: Partial<TopologyControl>): TopologyControl {
  return {
    instances: async () =>
      instances.map(({ id, url, process: { pid, exitCode, signalCode } }) =>
        exitCode === null && signalCode === null ? { id, url, pid, serving: true } : { id, serving: false },
      ),
    add: () => Promise.reject(new Error('not here')),
    remove: () => Promise.reject(new Error('not here')),
    kill: () => Promise.reject(new Error('not here')),
    ...change,
  };
}

async function flush({ port }: TestRedis): Promise<void> {
  const connection = connect(port, '127.0.0.1');
  connection.write('FLUSHALL\r\n');
  await once(connection, 'data');
  connection.destroy();
}

function run(check: typeof killedInstance, control: TopologyControl) {
  return runChecks(
    [check],
    {
      target: { url: proxy.url, control },
      load: { clients: 2, messages: 5 },
      timeoutMs: 3_000,
      signal: new AbortController().signal,
    },
    { started: () => undefined, finished: () => undefined },
  );
}

test('an instance that joins and gets no clients fails', async () => {
  const [result] = await run(joiningInstance, controlThat({ add: async () => 'ghost' }));
  expect(result).toMatchObject({
    status: 'failed',
    found: 'ghost got 0 of 24 new clients; half of its fair share is 4',
    cause: expect.stringContaining('never sends clients to the new instance'),
  });
});

test('a start that fails is told in its own words', async () => {
  const [result] = await run(joiningInstance, controlThat({}));
  expect(result).toMatchObject({ status: 'failed', found: 'the check could not be finished: not here' });
});

test('each alone tells the instance that is at fault from the others and from the proxy', async () => {
  const { url, close } = await openBrokenHub({ publish: ({ epoch }) => ({ epoch, offset: 1 }) });
  const [whole] = instances as [TestInstance];
  const control = controlThat({
    instances: async () => [
      { id: 'one', url: whole.url, serving: true },
      { id: 'only', url, serving: true },
      { id: 'down', serving: false },
    ],
  });
  const [result] = await run(eachAlone, control);
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

test('a kill that is refused leaves nothing to wait for', async () => {
  const [result] = await run(killedInstance, controlThat({}));
  expect(result).toMatchObject({ status: 'failed', found: 'the check could not be finished: not here' });
});

test('one instance alone skips the kill', async () => {
  const single = controlThat({ instances: async () => [{ id: 'one', serving: true }] });
  const [result] = await run(killedInstance, single);
  expect(result).toMatchObject({
    status: 'skipped',
    reason: expect.stringContaining('at least two instances'),
  });
});

test('a kill after which Redis has lost the rooms fails, though every client came back', async () => {
  const kill = async (id: string) => {
    const index = instances.findIndex((instance) => instance.id === id);
    const { url } = instances[index] as TestInstance;
    await instances[index]?.kill('SIGKILL');
    await flush(redis);
    const again = { [environmentNames.redisUrl]: redis.url, [environmentNames.port]: new URL(url).port };
    instances[index] = await startInstance(id, again);
    await proxy.allHealthy();
  };
  const [result] = await run(killedInstance, controlThat({ kill }));
  expect(result).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(/^of what was sent while two was killed: .* loss(es)? told to clients/),
    cause: expect.stringContaining('Redis lost writes'),
    fix: expect.stringContaining('failover'),
  });
});

test('a killed instance that stays away fails, though its clients came back', async () => {
  const kill = async (id: string) => {
    await instances.find((instance) => instance.id === id)?.kill('SIGKILL');
  };
  const [result] = await run(killedInstance, controlThat({ kill }));
  expect(result).toMatchObject({
    status: 'failed',
    found:
      'the topology could not be put back (wait for two to be back): two was not started again within 3 s',
  });
});

test('an instance that is down is told from a proxy that leaves it out', async () => {
  const [result] = await run(joiningInstance, controlThat({}));
  expect(result).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(/^two never answered in \d+ connections/),
    cause: 'the instance does not serve (two alone: down)',
  });
});
