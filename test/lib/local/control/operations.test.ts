import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { openHub } from '../../../../app/client/hub.ts';
import { ControlClient, type TopologyStatus } from '../../../../lib/local/control/client.ts';
import type { TopologyState } from '../../../../lib/local/state.ts';
import { describeInFull } from '../../../support/full-runs.ts';
import { eventually } from '../../../support/wait.ts';
import { ask } from '../fixtures/client.ts';
import { LocalCommand } from '../fixtures/local-command.ts';

let command: LocalCommand;
let state: TopologyState;
let control: ControlClient;
let port: number;

beforeAll(async () => {
  command = new LocalCommand(['--instances', '2', '--drain', '1', '--livekit', '0']);
  state = await command.ready();
  control = new ControlClient(state.control);
  port = Number(new URL(state.url).port);
});

afterAll(async () => {
  command.process.kill('SIGTERM');
  if (command.exit === undefined) await once(command.process, 'close');
});

function redisOf({ processes }: Pick<TopologyStatus, 'processes'>) {
  return processes.find(({ id }) => id === 'redis');
}

async function readyStatus(): Promise<string> {
  return JSON.parse((await ask(port, { path: '/health/ready' })).body).status;
}

async function local(method: 'GET' | 'POST', path: string) {
  const { status, body } = await ask(port, { method, path: `/local${path}` });
  return { status, body: JSON.parse(body) };
}

test('every part says where it is; what is secret is in the state file and never on the page', async () => {
  expect(state.serviceToken).toMatch(/^[0-9a-f]{64}$/);
  const instances = state.processes.filter(({ kind }) => kind === 'instance');
  expect(new Set(instances.map(({ adminPort }) => adminPort)).size).toBe(2);
  const { status, body } = await local('GET', '/state');
  expect(status).toBe(200);
  expect(body.processes.map(({ id }: { id: string }) => id)).toEqual(['proxy', 'redis', 'app-1', 'app-2']);
  for (const secret of [state.serviceToken as string, state.control.token])
    expect(JSON.stringify(body)).not.toContain(secret);
  const metrics = `http://127.0.0.1:${instances[0]?.adminPort}/metrics`;
  const answer = await fetch(metrics, { headers: { authorization: `Bearer ${state.serviceToken}` } });
  expect(answer.status).toBe(200);
  await answer.body?.cancel();
});

test('Redis stays away once stopped, is started on the same port, and stands still when asked to', async () => {
  const { pid, port: redisPort } = redisOf(await control.state()) ?? {};
  expect((await local('POST', '/redis/stop')).status).toBe(200);
  await eventually('the service to notice', async () => (await readyStatus()) === 'degraded');
  expect(redisOf(await control.state())?.pid).toBeUndefined();
  expect(await local('POST', '/redis/stop')).toEqual({
    status: 409,
    body: { error: 'redis is away already' },
  });
  expect((await local('POST', '/redis/start')).status).toBe(200);
  const back = redisOf(await control.state());
  expect(back?.port).toBe(redisPort);
  expect(back?.pid).not.toBe(pid);
  await eventually('the service to have it back', async () => (await readyStatus()) === 'ok');

  await control.stopRedis('stall');
  expect(redisOf(await control.state())).toMatchObject({ pid: back?.pid, stalled: true });
  await expect(control.stopRedis('kill')).rejects.toThrow('409 redis is away already');
  await control.startRedis();
  expect(redisOf(await control.state())?.stalled).toBeUndefined();
  await expect(control.startRedis()).rejects.toThrow('409 redis is running');
  await expect(control.stopRedis('explode' as never)).rejects.toThrow('how must be one of stop, kill, stall');
});

test('drained: its client comes back elsewhere before the instance ends; the page feeds a room', async () => {
  const token = JSON.parse(
    (
      await ask(port, {
        method: 'POST',
        path: '/api/session',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
    ).body,
  ).token as string;
  const hub = openHub(state.url, 'chat', { auth: { token }, transports: ['websocket'], forceNew: true });
  const room = hub.join('breaking', { onMessage: () => undefined });
  await room.joined;
  await room.publish('before');
  const [one] = (await control.state()).processes.filter(({ connections = 0 }) => connections > 0);
  const answer = await local('POST', `/instances/${one?.id}/drain`);
  expect(answer).toEqual({ status: 200, body: { id: one?.id } });
  expect((await control.state()).processes.map(({ id }) => id)).not.toContain(one?.id);
  await room.publish('after');
  hub.close();
  expect(await local('POST', '/jobs/bots?room=b')).toEqual({ status: 200, body: { hub: 'bots', room: 'b' } });
  expect((await local('POST', '/jobs/chat?room=b')).status).toBe(404);
  expect((await local('POST', '/jobs/bots')).status).toBe(400);
});

describeInFull('topology', 'a rolling restart', () => {
  test('replaces every instance, and one is always there', async () => {
    const before = (await control.state()).processes
      .filter(({ kind }) => kind === 'instance')
      .map(({ id }) => id);
    const failures: number[] = [];
    let over = false;
    const watching = (async () => {
      while (!over) {
        // Not the readiness: one that has just begun to drain says that it does.
        const { status } = await ask(port);
        if (status !== 200) failures.push(status);
        await delay(20);
      }
    })();
    const restarting = control.restart();
    await eventually('it to be under way', () => command.output.includes('rolling restart'));
    expect((await local('POST', '/restart')).status).toBe(409);
    const { instances } = await restarting;
    over = true;
    await watching;
    expect(failures).toEqual([]);
    expect(instances.length).toBe(before.length);
    const after = (await control.state()).processes
      .filter(({ kind }) => kind === 'instance')
      .map(({ id }) => id);
    expect(after).toEqual(instances);
    expect(before.filter((id) => after.includes(id))).toEqual([]);
  });
});
