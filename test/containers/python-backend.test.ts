import { io, type Socket } from 'socket.io-client';
import { paths } from '../../app/names.ts';
import { signToken } from '../../app/server/auth/hmac.ts';
import { liveKitRule } from '../../lib/local/livekit/nodes.ts';
import type { Rule } from '../../lib/local/proxy/rules.ts';
import { PythonBackend } from '../examples/python-backend.ts';
import { endCalls, joinCall } from '../livekit/support/participant.ts';
import { LobbyClient } from '../support/clients/lobby-client.ts';
import { eventually } from '../support/wait.ts';
import { callKnobs } from './call-deployment.ts';
import { Deployment } from './deployment.ts';
import { describeWithContainers } from './engine.ts';
import type { RunningTask } from './task.ts';

// The image has an operating system's Python and the framework, which takes minutes to bring.
jest.setTimeout(1_800_000);

/** The backend's target group, as the template has it. */
const rule: Rule = {
  group: 'backend',
  paths: ['/backend', '/backend/*'],
  sticky: true,
  healthChecks: { path: '/health/ready' },
};

const port = 8000;

describeWithContainers('a Python backend beside the service', () => {
  let deployment: Deployment;
  let tasks: RunningTask[] = [];
  const sockets: Socket[] = [];

  beforeAll(async () => {
    deployment = await Deployment.start(
      { ...callKnobs, mainHub: true, pythonSocketio: '/=emit' },
      { healthChecks: { path: paths.ready }, rules: [liveKitRule, rule] },
      (stack) =>
        new PythonBackend(stack, 'Backend', {
          cpuArchitecture: process.arch === 'arm64' ? 'arm64' : 'x86_64',
          tasks: 2,
          baseImage: 'docker.io/library/debian:bookworm-slim',
        }),
    );
    for (let count = 0; count < 2; count += 1) tasks.push(await startBackend());
  });
  afterAll(async () => {
    for (const socket of sockets) socket.close();
    await endCalls();
    await deployment?.stop();
  });

  async function startBackend(): Promise<RunningTask> {
    const task = await deployment.run('backend');
    deployment.balancer.register({ id: task.id, host: '127.0.0.1', port: task.portOf(port) }, rule.group);
    await inService(task, 'backend');
    return task;
  }

  async function inService(task: RunningTask, container: string): Promise<void> {
    await eventually(`${task.id} to be in service`, () =>
      deployment.balancer.status().some(({ id, health }) => id === task.id && health === 'healthy'),
    ).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await task.logs(container)}`);
    });
  }

  /** A token as the service takes it: one login serves both. */
  const tokenOf = (sub: string) =>
    signToken(
      { sub, exp: Math.floor(Date.now() / 1_000) + 3_600 },
      deployment.secretNamed('ServiceAuthSecret'),
    );

  const taskUrl = (task: RunningTask | undefined) => `http://127.0.0.1:${task?.portOf(port)}`;

  function connect(sub: string, url: string, transport: 'polling' | 'websocket'): Promise<LobbyClient> {
    const client = new LobbyClient(url, { token: tokenOf(sub), transport, path: '/backend/socket.io' });
    sockets.push(client.socket);
    return client.joined();
  }

  const post = (path: string, body?: object, token = tokenOf('ada')) =>
    fetch(`${deployment.url}/backend${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });

  test('it runs as no root, and can write nothing', async () => {
    for (const task of tasks) {
      expect(await task.exitCode('backend', ['sh', '-c', 'test "$(id -u)" = 1000'])).toBe(0);
      for (const place of ['/app', '/tmp', '/venv'])
        expect(await task.exitCode('backend', ['sh', '-c', `echo x > ${place}/x`])).not.toBe(0);
    }
  });

  test('events reach the clients of both instances, polling ones through the sticky target group', async () => {
    const polling = await connect('ada', deployment.url, 'polling');
    const others = await Promise.all(tasks.map((task, n) => connect(`bob ${n}`, taskUrl(task), 'websocket')));
    for (let count = 0; count < 20; count += 1) expect(await polling.say(`${count}`)).toEqual({ ok: true });
    for (const [n, other] of others.entries()) expect(await other.say(`from ${n}`)).toEqual({ ok: true });
    expect((await post('/rooms/lobby/messages', { text: 'by HTTP' })).status).toBe(202);
    for (const { heard } of [polling, ...others]) {
      await eventually('every message', () => heard.length >= 23);
      expect(heard.filter((line) => line.startsWith('ada'))).toHaveLength(21);
      expect([...heard].sort()).toEqual([...polling.heard].sort());
    }
  });

  test('a user’s session is the same on every instance', async () => {
    const [one, other] = await Promise.all(tasks.map((task) => connect('carol', taskUrl(task), 'websocket')));
    expect(await one?.socket.emitWithAck('remember', 'the blue one')).toEqual({ ok: true });
    expect(await other?.socket.emitWithAck('recall')).toEqual({ ok: true, note: 'the blue one' });
  });

  test('nobody gets in without a token, and nonsense is refused', async () => {
    const stranger = io(taskUrl(tasks[0]), {
      path: '/backend/socket.io',
      auth: { token: 'x' },
      forceNew: true,
    });
    sockets.push(stranger);
    const refused = await new Promise<Error>((resolve) => stranger.on('connect_error', resolve));
    expect(refused.message).toBe('give a valid token in auth.token');
    expect((await post('/rooms/lobby/messages', { text: 'x' }, 'x')).status).toBe(401);
    expect((await post('/rooms/lobby/messages', { text: '' })).status).toBe(422);
    const { socket } = await connect('dave', taskUrl(tasks[0]), 'websocket');
    for (const message of [
      null,
      [],
      { room: 'lobby' },
      { room: { a: 1 }, text: 'x' },
      { room: 'x', text: 'x' },
    ])
      expect(await socket.emitWithAck('message', message)).toMatchObject({ ok: false });
    expect(await socket.emitWithAck('join', 'x'.repeat(201))).toMatchObject({ ok: false });
  });

  test('its tokens let users into the stack’s calls, and LiveKit tells it who is there', async () => {
    const node = await deployment.run('livekit');
    await node.healthy('livekit');
    deployment.balancer.register(
      { id: node.id, host: '127.0.0.1', port: node.portOf(7880) },
      liveKitRule.group,
    );
    await inService(node, 'livekit');
    const response = await post('/calls/lobby/token');
    const { url, token } = (await response.json()) as { url: string; token: string };
    expect(url).toBe('wss://realtime.example.com');
    await joinCall(deployment.url.replace('http', 'ws'), token);
    const participants = async () => {
      const headers = { authorization: `Bearer ${tokenOf('ada')}` };
      const answer = await fetch(`${deployment.url}/backend/calls/lobby/participants`, { headers });
      return ((await answer.json()) as { participants: string[] }).participants;
    };
    await eventually('the participant to be listed', async () => (await participants()).includes('ada'));
  });

  test('users of the service’s namespace / are in the rooms of the backend’s, by the bridge', async () => {
    const service = await deployment.run('app');
    deployment.balancer.register({ id: service.id, host: '127.0.0.1', port: service.portOf(3000) });
    await inService(service, 'app');
    const old = await connect('ada', taskUrl(tasks[0]), 'websocket');
    const moved = io(deployment.url, {
      auth: { token: tokenOf('bob') },
      transports: ['websocket'],
      forceNew: true,
    });
    sockets.push(moved);
    const heard: string[] = [];
    moved.on('message', ({ text }) => heard.push(text));
    await eventually('bob to be connected', () => moved.connected);
    expect(await moved.emitWithAck('join', { room: 'lobby' })).toMatchObject({ ok: true });
    await eventually('the service to hear Python', async () => {
      await old.say('from Python');
      return heard.includes('from Python');
    });
    const before = old.heard.length;
    moved.emit('message', { room: 'lobby', from: 'bob', text: 'from the service' });
    await eventually('Python to hear the service', () =>
      old.heard.slice(before).includes('bob: from the service'),
    );
  });

  test('when one is killed, its clients are back at the other, and hear and are heard', async () => {
    const [killed, left] = tasks as [RunningTask, RunningTask];
    const clients = await Promise.all(
      Array.from({ length: 4 }, (_, n) => connect(`erin ${n}`, deployment.url, 'websocket')),
    );
    const lost = new Set<string>();
    for (const [n, { socket }] of clients.entries()) socket.on('disconnect', () => lost.add(`erin ${n}`));
    tasks = [left];
    await killed.remove();
    await eventually('clients of the killed one to notice', () => lost.size > 0);
    await eventually('all to be back', () => clients.every(({ socket }) => socket.connected));
    await eventually('each to hear each', async () => {
      for (const client of clients) await client.say('again');
      return clients.every(({ heard }) => new Set(heard).size === clients.length);
    });
    expect(await deployment.cache.admin.call('ACL', 'LOG')).toEqual([]);
  });

  test('it ends by itself when ECS stops it', async () => {
    expect(await tasks[0]?.stop()).toEqual({ backend: 0 });
  });
});
