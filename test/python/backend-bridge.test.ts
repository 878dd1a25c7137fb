import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { signToken } from '../../app/server/auth/hmac.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { describeWithPython, openVenv } from '../support/python.ts';
import { startRedis, type TestRedis } from '../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../support/servers/service.ts';
import { eventually } from '../support/wait.ts';

// Its packages are brought once, which takes a minute or two.
jest.setTimeout(600_000);

const folder = join(import.meta.dirname, '../examples/python-backend');
const secret = 'a secret of users with 32 characters or more';
const tokenOf = (sub: string) => signToken({ sub, exp: Math.floor(Date.now() / 1_000) + 3_600 }, secret);

describeWithPython('the Python backend and the service, joined by the bridge', () => {
  let redis: TestRedis;
  let service: TestInstance;
  let backend: ChildProcess;
  let backendUrl: string;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    const python = await openVenv(join(folder, 'requirements.txt'));
    redis = await startRedis();
    service = await startInstance('a', {
      REDIS_URL: redis.url,
      AUTH_SECRET: secret,
      MAIN_HUB: 'true',
      PYTHON_SOCKETIO: '/=emit',
    });
    const port = await freePort();
    backendUrl = `http://127.0.0.1:${port}`;
    const environment = { AUTH_SECRET: secret, REDIS_URL: redis.url, PORT: String(port) };
    backend = spawn(python, ['-m', 'backend'], { cwd: folder, env: { ...process.env, ...environment } });
    await eventually('the backend to be ready', () =>
      fetch(`${backendUrl}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  });
  afterAll(async () => {
    for (const socket of sockets) socket.close();
    backend?.kill('SIGKILL');
    if (backend && backend.exitCode === null && backend.signalCode === null) await once(backend, 'exit');
    await service?.kill('SIGKILL');
    await redis?.stop();
  });

  async function connect(sub: string, url: string) {
    const socket = io(url, { auth: { token: tokenOf(sub) }, transports: ['websocket'], forceNew: true });
    sockets.push(socket);
    const heard: string[] = [];
    socket.on('message', ({ text }: { text: string }) => heard.push(text));
    await eventually(`${sub} to be connected`, () => socket.connected);
    return { socket, heard };
  }

  test('users of both are in one room, and clients know of no bridge', async () => {
    const old = await connect('ada', backendUrl);
    expect(await old.socket.emitWithAck('join', 'lobby')).toEqual({ ok: true });
    const moved = await connect('bob', service.url);
    expect(await moved.socket.emitWithAck('join', { room: 'lobby' })).toMatchObject({ ok: true });

    expect(await old.socket.emitWithAck('message', { room: 'lobby', text: 'from Python' })).toEqual({
      ok: true,
    });
    await eventually('the service’s client to hear it', () => moved.heard.includes('from Python'));
    moved.socket.emit('message', { room: 'lobby', text: 'from the service' });
    await eventually('Python’s client to hear it', () => old.heard.includes('from the service'));
    expect(old.heard).toEqual(['from Python', 'from the service']);
    expect(moved.heard).toEqual(['from Python']);
  });
});
