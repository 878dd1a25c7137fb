import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { signToken } from '../../app/server/auth/hmac.ts';
import { renderAcl } from '../../app/server/redis/acl.ts';
import { backendAcl } from '../../lib/aws/redis/backend-acl.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { LoadBalancer } from '../../lib/local/proxy/load-balancer.ts';
import { LobbyClient } from '../support/clients/lobby-client.ts';
import { describeWithPython, openVenv } from '../support/python.ts';
import { startPrimaries } from '../support/redis/primaries.ts';
import { startRedis, type TestRedis } from '../support/redis/redis.ts';
import { eventually } from '../support/wait.ts';

// Its packages are brought once, which takes a minute or two.
jest.setTimeout(600_000);

const folder = join(import.meta.dirname, '../examples/python-backend');
/** Its login in the cache. */
const admin = { username: 'admin', password: 'admin' };
const secret = 'a secret of users, 32 characters or more'.replace(',', '');
const tokenOf = (sub: string, claims = {}) =>
  signToken({ sub, exp: Math.floor(Date.now() / 1_000) + 3_600, ...claims }, secret);

interface Backend {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  output(): string;
}

describeWithPython('the Python backend', () => {
  let python: string;
  let redisPort: number;
  let redis: TestRedis;
  const backends: Backend[] = [];
  const clients: LobbyClient[] = [];
  const balancers: LoadBalancer[] = [];

  /** The user has the permissions that the stack gives it. */
  const startCache = () => startRedis(users(), redisPort);
  const users = () => {
    // Redis 7.0 knows no `client|setinfo`; Valkey, which the stack deploys, does.
    const rules = renderAcl(backendAcl({ channels: ['socketio'], keyPrefix: 'backend:' }))
      .split(' ')
      .filter((rule) => rule !== '+client|setinfo');
    return [
      ...['--user', 'default', 'off', '-@all'],
      ...['--user', 'admin', 'on', '>admin', '~*', '&*', '+@all'],
      ...['--user', 'backend', '>x', ...rules],
    ];
  };
  const redisUrl = () => urlOf(redisPort);
  const urlOf = (port: number) => `redis://backend:x@127.0.0.1:${port}`;

  beforeAll(async () => {
    python = await openVenv(join(folder, 'requirements.txt'));
    redisPort = await freePort();
    redis = await startCache();
  });
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.close();
    for (const balancer of balancers.splice(0)) await balancer.close();
    for (const { process: child } of backends.splice(0)) await end(child, 'SIGKILL');
  });
  afterAll(() => redis?.stop());

  async function spawnBackend(environment: Record<string, string> = {}): Promise<Backend> {
    const port = await freePort();
    const child = spawn(python, ['-m', 'backend'], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        PYTHONDONTWRITEBYTECODE: '1',
        AUTH_SECRET: secret,
        REDIS_URL: redisUrl(),
        PORT: String(port),
        DRAIN_SECONDS: '2',
        ...environment,
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        output += data;
      });
    const backend = { url: `http://127.0.0.1:${port}`, port, process: child, output: () => output };
    backends.push(backend);
    return backend;
  }

  /** What its readiness says; undefined while it does not respond. */
  const stateOf = ({ url }: Backend) =>
    fetch(`${url}/health/ready`).then(
      async (response) => `${response.status} ${((await response.json()) as { status: string }).status}`,
      () => undefined,
    );

  async function startBackend(environment?: Record<string, string>): Promise<Backend> {
    const backend = await spawnBackend(environment);
    await eventually('it to be ready', async () => {
      if (backend.process.exitCode !== null) throw new Error(backend.output());
      return (await stateOf(backend)) === '200 ready';
    });
    return backend;
  }

  function connect(sub: string, url: string, transport?: 'polling'): LobbyClient {
    const client = new LobbyClient(url, { token: tokenOf(sub), transport });
    clients.push(client);
    return client;
  }

  const joined = (sub: string, url: string, transport?: 'polling') => connect(sub, url, transport).joined();

  async function balance(sticky: boolean): Promise<string> {
    const balancer = new LoadBalancer({ sticky, healthChecks: { path: '/health/ready', intervalMs: 100 } });
    balancers.push(balancer);
    const port = await balancer.listen(0);
    for (const { port: target } of await Promise.all([startBackend(), startBackend()]))
      balancer.register({ id: String(target), host: '127.0.0.1', port: target });
    await eventually('two healthy targets', () =>
      balancer.status().every(({ health }) => health === 'healthy'),
    );
    return `http://127.0.0.1:${port}`;
  }

  test('what can’t be used ends it, all faults at once, and no secret is shown', async () => {
    const backend = await spawnBackend({
      AUTH_SECRET: 'short-secret',
      PORT: 'eighty',
      ROOT_PATH: 'backend',
      LIVEKIT_URL: 'wss://calls.example.com',
    });
    const [code] = await once(backend.process, 'close');
    expect(code).toBe(1);
    for (const name of ['AUTH_SECRET', 'PORT', 'ROOT_PATH', 'LIVEKIT_API_KEY'])
      expect(backend.output()).toContain(`\`${name}`);
    expect(backend.output()).not.toContain('short-secret');
  });

  test('the page’s command starts it', async () => {
    const page = readFileSync('docs/moving/python-socketio.md', 'utf8');
    const [command = ''] = /^\(cd .* -m backend\)$/m.exec(page) ?? [];
    const port = await freePort();
    const here = command
      .replace('redis://127.0.0.1:6399', redisUrl())
      .replace('PORT=8000', `PORT=${port}`)
      .replace('../../../.venv/bin/python', python);
    const child = spawn('sh', ['-c', here], { stdio: 'ignore', detached: true });
    const backend = { url: `http://127.0.0.1:${port}`, port, process: child, output: () => '' };
    try {
      await eventually('it to be ready', async () => (await stateOf(backend)) === '200 ready');
    } finally {
      process.kill(-(child.pid as number), 'SIGKILL');
    }
  });

  test('a polling client keeps its instance where the load balancer is sticky, and only there', async () => {
    const polling = await joined('ada', await balance(true), 'polling');
    for (let count = 0; count < 20; count += 1) expect(await polling.say(`${count}`)).toEqual({ ok: true });
    await eventually('it to hear itself', () => polling.heard.length >= 20);

    const astray = connect('ada', await balance(false), 'polling');
    const failures: string[] = [];
    astray.socket.io.on('error', ({ message }) => failures.push(message));
    astray.socket.io.on('close', (reason) => failures.push(reason));
    await eventually('it to lose its instance', () => failures.length > 0);
  });

  test('python-socketio’s own client talks with the JavaScript one', async () => {
    const [one, other] = await Promise.all([startBackend(), startBackend()]);
    const client = await joined('ada', one.url);
    const script = join(import.meta.dirname, 'backend-client.py');
    const talking = promisify(execFile)(python, [script, other.url, tokenOf('bob')]);
    await eventually('Python to speak', () => client.heard.includes('bob: hello from Python'));
    await client.say('hello from JavaScript');
    expect((await talking).stdout.trim()).toBe('ada: hello from JavaScript');
  });

  test('tokens are those of the service: forged and expired ones, and those for ever, open nothing', async () => {
    const { url } = await startBackend();
    const past = Math.floor(Date.now() / 1_000) - 1;
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"ada","exp":9999999999}').toString('base64url')}.`;
    const tokens = [
      '',
      'x',
      none,
      tokenOf('ada', { exp: past }),
      signToken({ sub: 'ada', exp: past + 60 }, `${secret}!`),
    ];
    for (const token of tokens) {
      const response = await fetch(`${url}/rooms/lobby/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{"text":"x"}',
      });
      expect([token, response.status]).toEqual([token, 401]);
    }
  });

  test('pages of other origins are refused, and those that are named are let in', async () => {
    const { url } = await startBackend({
      CORS_ORIGINS: 'https://app.example.com,https://realtime.example.com',
    });
    const handshake = (origin: string) =>
      fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } }).then(
        ({ status }) => status,
      );
    expect(await handshake('https://app.example.com')).toBe(200);
    expect(await handshake('https://realtime.example.com')).toBe(200);
    expect(await handshake('https://evil.example.com')).toBe(400);
    const own = await startBackend();
    const before = await fetch(`${own.url}/socket.io/?EIO=4&transport=polling`, {
      headers: { origin: own.url },
    });
    expect(before.status).toBe(200);
  });

  test('a cache that goes and comes back takes nobody out, and events cross again by themselves', async () => {
    const [one, other] = await Promise.all([startBackend(), startBackend()]);
    const [ada, bob] = [await joined('ada', one.url), await joined('bob', other.url)];
    const neighbour = await joined('carol', one.url);
    await redis.stop();
    await eventually('it to say so', async () => (await stateOf(one)) === '200 degraded');
    expect([ada, bob].map(({ socket }) => socket.connected)).toEqual([true, true]);
    await ada.say('alone');
    await eventually('who is on the same instance to hear it', () => neighbour.heard.includes('ada: alone'));
    const late = await spawnBackend();
    await eventually('a new one to wait', async () => (await stateOf(late)) === '503 starting');
    redis = await startCache();
    await eventually('both to be ready', async () =>
      (await Promise.all([one, other, late].map(stateOf))).every((state) => state === '200 ready'),
    );
    await eventually(
      'events to cross again',
      async () => {
        await ada.say('again');
        return bob.heard.includes('ada: again');
      },
      120_000,
    );
    const cache = new Redis({ port: redisPort, ...admin });
    expect(await cache.call('ACL', 'LOG')).toEqual([]);
    expect(await ada.socket.emitWithAck('remember', 'x')).toEqual({ ok: true });
    expect(await cache.keys('*')).toEqual(['backend:session:ada']);
    expect(await cache.ttl('backend:session:ada')).toBeGreaterThan(0);
    cache.disconnect();
  });

  test('on a cluster, sessions lie in all shards, and events cross whichever node they are published on', async () => {
    const shards: TestRedis[] = [];
    const admins: Redis[] = [];
    try {
      await startPrimaries(3, { arguments: users(), login: admin }, shards);
      admins.push(...shards.map(({ port }) => new Redis({ port, ...admin })));
      const [one, other] = await Promise.all(
        shards.slice(0, 2).map(({ port }) => startBackend({ REDIS_URL: urlOf(port) })),
      );
      const bob = await joined('bob', (other as Backend).url);
      for (let user = 0; user < 20; user += 1) {
        const client = await joined(`user-${user}`, (one as Backend).url);
        expect(await client.socket.emitWithAck('remember', `${user}`)).toEqual({ ok: true });
        await client.say(`hello from ${user}`);
      }
      await eventually('all of it to arrive', () => bob.heard.length === 20);
      const again = await joined('user-7', (other as Backend).url);
      expect(await again.socket.emitWithAck('recall')).toEqual({ ok: true, note: '7' });
      const keys = await Promise.all(admins.map((each) => each.keys('backend:session:*')));
      expect(keys.flat()).toHaveLength(20);
      expect(Math.min(...keys.map(({ length }) => length))).toBeGreaterThan(0);
      for (const each of admins) expect(await each.call('ACL', 'LOG')).toEqual([]);
    } finally {
      for (const each of admins) each.disconnect();
      for (const shard of shards) await shard.stop();
    }
  });

  test('without Redis it serves alone', async () => {
    const { url } = await startBackend({ REDIS_URL: '' });
    const [ada, bob] = [await joined('ada', url), await joined('bob', url)];
    await ada.say('hello');
    await eventually('bob to hear it', () => bob.heard.includes('ada: hello'));
    expect(await ada.socket.emitWithAck('remember', 'x')).toEqual({ ok: true });
    expect(await ada.socket.emitWithAck('recall')).toEqual({ ok: true, note: 'x' });
  });

  test('SIGTERM ends it with clients on it, and they are told at once', async () => {
    const backend = await startBackend();
    const client = await joined('ada', backend.url);
    await end(backend.process, 'SIGTERM');
    // It ends in order, and uvicorn then lets the signal have its way.
    expect(backend.output()).toContain('Application shutdown complete');
    await eventually('the client to notice', () => !client.socket.connected);
  });
});

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill(signal);
  await closed;
}
