import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { doctor } from '../../../../lib/doctor/doctor.ts';
import { http2 } from '../../../../lib/doctor/url/checks/tls.ts';
import { Probes } from '../../../../lib/doctor/url/probes.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { describeInFull } from '../../../support/full-runs.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { type SpreadingOptions, spreadingProxy } from '../../verify/checks/proxies.ts';
import { startInProcess } from '../../verify/in-process-instance.ts';
import { lookAt, plainSocketServer } from './look-at.ts';

jest.setTimeout(120_000);

const password = 'pw-4-the-tests-alone';
let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis(['--requirepass', password, '--maxmemory-policy', 'noeviction']);
});
afterAll(() => redis.stop());

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const withPassword = () => `redis://:${encodeURIComponent(password)}@127.0.0.1:${redis.port}`;

async function behindProxy(targets: readonly string[], options: SpreadingOptions = {}): Promise<string> {
  const proxy = await spreadingProxy(targets, options);
  closers.push(proxy.close);
  return proxy.url;
}

async function plainServers(number: number, options = {}): Promise<string[]> {
  const urls: string[] = [];
  for (let left = number; left > 0; left -= 1) {
    const server = await plainSocketServer(options);
    closers.push(server.close);
    urls.push(server.url);
  }
  return urls;
}

/** Instances of this project. Without a Redis they know nothing of each other, as ASP.NET's do. */
async function instances(number: number, setting = 'none'): Promise<string[]> {
  const urls: string[] = [];
  for (let id = 1; id <= number; id += 1) {
    const instance = await startInProcess(`app-${id}`, { REDIS_URL: setting });
    closers.push(() => instance.stop());
    urls.push(instance.url);
  }
  return urls;
}

/** A heartbeat of SignalR comes after 15 s: the silence is looked at in the tests of Socket.IO. */
const signalR = ['--plain', 'signalr', '--path', '/chathub', '--idle', '1'];

describe('a plain Socket.IO server', () => {
  test('alone is healthy', async () => {
    const [url = ''] = await plainServers(1);
    const looked = await lookAt(url, ['--plain', 'socketio', '--broadcast', 'say=["hello"]']);
    expect(looked).toMatchObject({
      code: 0,
      ok: true,
      status: {
        polling: 'passed',
        websocket: 'passed',
        upgrade: 'passed',
        'idle-timeout': 'passed',
        broadcast: 'passed',
      },
      found: { broadcast: 'one client sent say: 6 of 6 clients heard of it' },
      text: expect.stringMatching(
        /125\.0 s at most(.|\n)*Nothing that was checked is in the way of clients\./,
      ),
    });
    expect(looked.conclusion).toBeUndefined();
  });

  test('of two instances behind a proxy without stickiness fails with two, and would work with one', async () => {
    const url = await behindProxy(await plainServers(2));
    expect(await lookAt(url)).toMatchObject({
      code: 1,
      status: { polling: 'failed', websocket: 'passed', upgrade: 'not-checked' },
      found: { polling: expect.stringContaining('Session ID unknown') },
      conclusion: {
        name: 'polling',
        cause: expect.stringMatching(/about 2 instances .* It fails with two, and works with one/),
        fix: expect.stringMatching(/transports: \['websocket'\].*works here now/),
      },
    });
  });

  test('whose query a proxy drops loses every session, with one instance, too', async () => {
    const url = await behindProxy(await plainServers(1), { withoutQuery: /sid=/ });
    expect(await lookAt(url)).toMatchObject({
      conclusion: { name: 'polling', cause: expect.stringContaining('a proxy drops the query of requests') },
    });
  });

  test('whose upgrade header the proxy drops is named, with the setting', async () => {
    const url = await behindProxy(await plainServers(1), { upgrades: false });
    expect(await lookAt(url)).toMatchObject({
      code: 1,
      status: { polling: 'passed', websocket: 'failed' },
      conclusion: {
        name: 'websocket',
        cause: expect.stringContaining('does not pass the WebSocket upgrade on'),
        fix: expect.stringMatching(/proxy_http_version 1\.1.*Websocket Support/),
      },
    });
  });

  test('whose proxy is less patient than its heartbeat is cut', async () => {
    const url = await behindProxy(await plainServers(1, { pingInterval: 30_000 }), { idleMs: 700 });
    expect(await lookAt(url)).toMatchObject({
      code: 1,
      conclusion: {
        name: 'idle-timeout',
        cause: expect.stringContaining('idle timeout of a proxy is shorter'),
      },
      found: {
        'idle-timeout': expect.stringMatching(
          /cut after .* on which nothing moved, a heartbeat every 30\.0 s/,
        ),
      },
    });
  });

  test('of two instances without a backplane is found by a message, and by Redis', async () => {
    const url = await behindProxy(await plainServers(2, { transports: ['websocket'] }));
    expect(await lookAt(url, ['--broadcast', 'say=["hello"]'])).toMatchObject({
      conclusion: { name: 'broadcast', cause: expect.stringContaining('share no backplane') },
      found: { broadcast: 'one client sent say: 3 of 6 clients heard of it' },
    });
    expect(await lookAt(url, [], { REDIS_URL: withPassword() })).toMatchObject({
      conclusion: {
        name: 'backplane',
        cause: expect.stringContaining('without a backplane, or with another Redis'),
      },
      status: { redis: 'passed' },
    });
  });

  test('whose Redis asks for no password has the hole of python-socketio', async () => {
    const open = await startRedis();
    closers.push(open.stop);
    const listener = new Redis(open.url);
    closers.push(() => listener.disconnect());
    await listener.subscribe('socketio');
    const [url = ''] = await plainServers(1);
    expect(await lookAt(url, [], { REDIS_URL: open.url })).toMatchObject({
      code: 0,
      conclusion: { name: 'redis', status: 'warned', cause: expect.stringContaining('CVE-2025-61765') },
      found: { redis: expect.stringContaining('1 python-socketio servers listen') },
    });
  });

  test('is entered at the namespace that is named', async () => {
    const server = await plainSocketServer();
    closers.push(server.close);
    const bots = server.io.of('/bots');
    bots.use((socket, next) => next(socket.handshake.auth.token === 'key' ? undefined : new Error('who?')));
    bots.on('connection', (socket) => socket.on('say', (words) => bots.emit('said', words)));
    const words = ['--namespace', '/bots', '--token', 'key', '--broadcast', 'say=["hello"]'];
    expect(await lookAt(server.url, words)).toMatchObject({
      code: 0,
      found: {
        websocket: expect.stringContaining('lets it in'),
        broadcast: expect.stringContaining('6 of 6'),
      },
    });
    expect((await lookAt(server.url, ['--namespace', '/bots'])).found.websocket).toContain('who?');
  });

  test('that does not know the page says so, and how to let it in', async () => {
    const [closed = ''] = await plainServers(1);
    const page = ['--origin', 'https://app.example.com'];
    expect(await lookAt(closed, page)).toMatchObject({
      conclusion: { name: 'cors', fix: expect.stringContaining('cors_allowed_origins') },
    });
    const [open = ''] = await plainServers(1, { cors: { origin: 'https://app.example.com' } });
    expect(await lookAt(open, page)).toMatchObject({ code: 0, status: { cors: 'passed' } });
    const [any = ''] = await plainServers(1, { cors: { origin: true, credentials: true } });
    expect(await lookAt(any)).toMatchObject({
      code: 0,
      conclusion: {
        name: 'cors',
        status: 'warned',
        cause: expect.stringContaining('any site may use the cookies'),
      },
    });
  });

  describeInFull('topology', 'in other ways', () => {
    test('is tried past the proxy: what fails there, too, is the server itself', async () => {
      const [one = '', two = ''] = await plainServers(2);
      const proxy = await behindProxy([one, two]);
      expect(await lookAt(proxy, ['--instance', one])).toMatchObject({
        status: { polling: 'failed', 'one-instance': 'passed' },
        conclusion: { name: 'polling' },
      });
      const [broken = ''] = await plainServers(1, { transports: ['polling'] });
      const inFront = await behindProxy([broken]);
      expect(await lookAt(inFront, ['--instance', broken])).toMatchObject({
        conclusion: { name: 'one-instance', cause: expect.stringContaining('one instance fails by itself') },
      });
    });

    test('with the adapter of Redis has a backplane', async () => {
      const server = await plainSocketServer();
      const clients = [new Redis(withPassword()), new Redis(withPassword())] as const;
      server.io.adapter(createAdapter(...clients));
      closers.push(() => clients.forEach((client) => void client.disconnect()), server.close);
      expect(await lookAt(server.url, [], { REDIS_URL: withPassword() })).toMatchObject({
        code: 0,
        found: { backplane: expect.stringContaining('1 of them subscribe to socket.io-request#/#') },
      });
    });

    test('whose Redis has another password is named, and the password is not', async () => {
      const [url = ''] = await plainServers(1);
      const wrong = `127.0.0.1:${redis.port},password=wrong-password-of-someone`;
      const looked = await lookAt(url, [], { ConnectionStrings__Redis: wrong });
      expect(looked).toMatchObject({
        code: 1,
        conclusion: { name: 'redis', fix: expect.stringContaining('correct ConnectionStrings__Redis') },
        found: { redis: expect.stringContaining('WRONGPASS') },
      });
      expect(JSON.stringify(looked)).not.toContain('wrong-password-of-someone');
    });
  });
});

describe('a SignalR hub', () => {
  test('of two instances behind a proxy without stickiness: negotiated on one, connected to the other', async () => {
    const url = await behindProxy(await instances(2));
    expect(await lookAt(url, signalR)).toMatchObject({
      code: 1,
      status: { negotiate: 'failed', 'hub-websocket': 'passed', 'event-stream': 'passed' },
      conclusion: {
        name: 'negotiate',
        cause: expect.stringMatching(/No Connection with that ID.*fails with two, and works with one/),
        fix: expect.stringContaining('skipNegotiation: true'),
      },
    });
  });

  test('at a path that was not given is found where hubs usually are; at none, the path is asked for', async () => {
    const [url = ''] = await instances(1);
    const found = await lookAt(url, ['--plain', 'signalr', '--idle', '1']);
    expect(found).toMatchObject({
      code: 0,
      found: { server: expect.stringContaining('a SignalR hub at /chathub') },
    });
    expect(await lookAt(`${url}/none`, ['--plain', 'signalr'])).toMatchObject({
      code: 1,
      conclusion: { name: 'server', cause: expect.stringContaining('nothing is served at this path') },
    });
  });

  describeInFull('topology', 'in other ways', () => {
    test('whose events a proxy holds back', async () => {
      const url = await behindProxy(await instances(1), { buffers: 'responses' });
      expect(await lookAt(url, signalR)).toMatchObject({
        code: 1,
        status: { negotiate: 'passed', 'hub-websocket': 'passed' },
        conclusion: { name: 'event-stream', fix: expect.stringContaining('proxy_buffering off') },
      });
    });
  });
});

describe('this project’s service', () => {
  test('of two instances behind a proxy without stickiness is healthy: they relay', async () => {
    const url = await behindProxy(await instances(2, withPassword()));
    const looked = await lookAt(url, ['--idle', '1'], { REDIS_URL: withPassword() });
    expect(looked).toMatchObject({
      code: 0,
      status: { polling: 'passed', negotiate: 'passed', 'event-stream': 'passed', redis: 'passed' },
      found: { backplane: '2 instances answered in 6 connections (app-1 and app-2), they share a Redis' },
    });
    expect(looked.conclusion).toBeUndefined();
  });

  describeInFull('topology', 'in other ways', () => {
    test('of two instances without a Redis says that they need one', async () => {
      const url = await behindProxy(await instances(2));
      expect(await lookAt(url, ['--idle', '1'])).toMatchObject({
        code: 1,
        status: { polling: 'failed' },
        conclusion: {
          name: 'backplane',
          cause: expect.stringContaining('without a backplane'),
          fix: expect.stringContaining('REDIS_URL'),
        },
      });
    });

    test('that never reached its Redis is told by the Redis itself', async () => {
      const wrong = `redis://:wrong-password-of-someone@127.0.0.1:${redis.port}`;
      const [url = ''] = await instances(1, wrong);
      expect(await lookAt(url, [], { REDIS_URL: wrong })).toMatchObject({
        code: 1,
        status: { server: 'failed' },
        found: { redis: expect.stringContaining('WRONGPASS') },
        conclusion: { name: 'redis' },
      });
    });
  });
});

test('where nothing listens, the address is the cause', async () => {
  expect(await lookAt(`http://127.0.0.1:${await freePort()}`)).toMatchObject({
    code: 1,
    conclusion: { name: 'address' },
    found: { address: expect.stringContaining('ECONNREFUSED') },
  });
});

test('verify hands a server that is not this service over to the doctor', async () => {
  const url = await behindProxy(await plainServers(2));
  const entry = join(import.meta.dirname, '../../../../bin/verify.ts');
  const words = ['--import', 'tsx', entry, '--url', url, '--json'];
  const ended = await new Promise<{ code: unknown; output: string; errors: string }>((resolve) => {
    execFile(process.execPath, words, (error, output, errors) =>
      resolve({ code: error?.code, output, errors }),
    );
  });
  expect(ended).toMatchObject({ code: 2, errors: expect.stringContaining('Most likely (polling)') });
  expect(JSON.parse(ended.output)).toMatchObject({
    ok: false,
    error: { kind: 'not-ours' },
    diagnosis: { conclusion: { name: 'polling' } },
  });
});

describe('the command line', () => {
  test.each([
    [
      ['--url', 'ftp://example.com', '--plain', 'grpc', '--idle', '0'],
      /--url must be(.|\n)*--plain must be(.|\n)*--idle must be/,
    ],
    [
      ['--url', 'https://me:secret@example.com'],
      /without a user and a password; give https:\/\/example\.com/,
    ],
    [['--url', 'https://example.com', '--broadcast', 'say=hello'], /--broadcast must be an event/],
    [['--url', 'https://example.com', '--deploy'], /--url or --deploy/],
    [['--url', 'https://example.com', 'eyJhbGciOiJIUzI1NiJ9.me:secret'], /\(a token\)/],
    [[], /`npm run doctor -- --url/],
  ])('that is not valid is explained, all of it at once: %j', async (words, said) => {
    let errors = '';
    const sink = { write: (text: string) => (errors += text) };
    expect(await doctor(words, { output: { write: () => undefined }, errors: sink, environment: {} })).toBe(
      2,
    );
    expect(errors).toMatch(said);
    expect(errors).not.toContain('me:secret');
  });

  test('a Redis setting that can’t be read is named without its password', async () => {
    let errors = '';
    const code = await doctor(['--url', 'https://example.com'], {
      output: { write: () => undefined },
      errors: { write: (text) => (errors += text) },
      environment: { REDIS_URL: 'http://:hidden@example.com' },
    });
    expect({ code, errors }).toEqual({
      code: 2,
      errors: expect.stringContaining('REDIS_URL is not a usable'),
    });
    expect(errors).not.toContain('hidden');
  });
});

describe('over TLS', () => {
  const fixture = (name: string) =>
    readFileSync(join(import.meta.dirname, '../../verify/fixtures', `localhost.${name}.pem`));

  async function secure(enableConnectProtocol: boolean): Promise<string> {
    const server = createSecureServer({
      cert: fixture('cert'),
      key: fixture('key'),
      allowHTTP1: true,
      settings: { enableConnectProtocol },
    });
    server.on('stream', (stream) => {
      stream.respond({ ':status': 501 });
      stream.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    return `https://localhost:${(server.address() as AddressInfo).port}`;
  }

  test('a certificate that is not trusted is the cause', async () => {
    expect(await lookAt(await secure(false))).toMatchObject({
      code: 1,
      conclusion: { name: 'address', cause: expect.stringContaining('its certificate is not trusted') },
    });
  });

  test.each([
    [true, { status: 'failed', cause: expect.stringContaining('fail in browsers alone') }],
    [false, { status: 'passed', found: expect.stringContaining('by HTTP/1.1') }],
  ])('HTTP/2 that offers WebSockets has to keep that: %s', async (offers, finding) => {
    const subject = {
      url: await secure(offers),
      isOurs: false,
      endpoints: [{ protocol: 'socketio', path: '/socket.io/' }],
      longestSilenceMs: 1_000,
      signal: new AbortController().signal,
    } as const;
    expect(await http2.run(subject, new Probes(subject))).toMatchObject(finding);
  });
});
