import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Server as SocketServer } from 'socket.io';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { identify } from '../../../../lib/verify/target/identify.ts';
import { openBrokenService } from '../checks/broken-service.ts';
import { runVerify, stateFolder } from '../run-verify.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function listen(server: Server): Promise<number> {
  const connections = new Set<Socket>();
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.on('error', () => undefined);
  });
  closers.push(() => {
    server.close();
    for (const connection of connections) connection.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const serve = async (listener: RequestListener) => `http://127.0.0.1:${await listen(createServer(listener))}`;

/** Answers everything so, and `more` by path. */
const answering = (
  status: number,
  headers: Record<string, string>,
  body: string,
  more: Record<string, string> = {},
) =>
  serve(({ url = '' }, response) => {
    const own = Object.entries(more).find(([path]) => url.startsWith(path));
    response.writeHead(own ? 200 : status, headers).end(own ? own[1] : body);
  });

async function socketServer(open: (io: SocketServer) => void, health?: string): Promise<string> {
  const http = createServer(({ url = '' }, response) => {
    if (url.startsWith('/socket.io')) return;
    response.writeHead(health && url.startsWith('/health') ? 200 : 404).end(health ?? 'no');
  });
  const io = new SocketServer(http, { serveClient: false });
  open(io);
  closers.push(() => io.close());
  return `http://127.0.0.1:${await listen(http)}`;
}

async function strangerAt(url: string, timeoutMs = 4_000): Promise<{ kind: string; message: string }> {
  const { signal } = new AbortController();
  const error = await identify(url, { timeoutMs, signal }).then(
    () => ({ kind: 'ours', message: '' }),
    (thrown: { kind: string; message: string }) => thrown,
  );
  return { kind: error.kind, message: error.message };
}

describe('the service', () => {
  test('is found by its health and its hub, with a token and without', async () => {
    const { signal } = new AbortController();
    for (const isOpen of [true, false]) {
      const { url, close } = await openBrokenService({ isOpen });
      closers.push(close);
      const { greeting, isSingleInstance } = await identify(url, { timeoutMs: 4_000, signal });
      expect(isSingleInstance).toBe(false);
      expect(greeting).toMatchObject(
        isOpen ? { outcome: 'accepted', instance: 'only' } : { outcome: 'rejected', code: 'missing' },
      );
    }
  });

  test('is found by its hub alone where a proxy keeps its health back', async () => {
    const url = await socketServer((io) =>
      io.of('/chat').on('connection', (socket) => socket.emit('welcome', { instance: 'a' })),
    );
    expect((await strangerAt(url)).kind).toBe('ours');
  });

  test('is let through to the checks where its hub can’t be reached', async () => {
    const url = await answering(404, {}, 'no', { '/health/ready': '{"status":"ok"}' });
    expect((await strangerAt(url)).kind).toBe('ours');
  });

  test.each([
    ['no hub chat', () => undefined, /and it has no hub chat\. It is another version/],
    [
      'a hub without a welcome',
      (io: SocketServer) => void io.of('/chat'),
      /its hub chat lets clients in without a welcome\. It is another version/,
    ],
  ])('of another version, with %s', async (_what, open, said) => {
    const { kind, message } = await strangerAt(await socketServer(open, '{"status":"ok"}'), 1_000);
    expect(kind).toBe('not-ours');
    expect(message).toMatch(said);
  });

  test('that has not reached Redis takes no clients', async () => {
    const url = await serve((_request, response) => response.writeHead(503).end('{"status":"starting"}'));
    const { kind, message } = await strangerAt(url, 1_000);
    expect(kind).toBe('unreachable');
    expect(message).toMatch(
      /takes no clients: \/health\/ready says starting\. Likely it has not reached its Redis/,
    );
  });
});

const nginx = '<html><head><title>Welcome to nginx!</title></head></html>';
const negotiation =
  '{"negotiateVersion":1,"connectionId":"a","connectionToken":"b","availableTransports":[]}';

describe('something else', () => {
  test.each<[string, () => Promise<string>, RegExp]>([
    [
      'nginx’s default page',
      () => answering(404, { server: 'nginx/1.24.0' }, nginx),
      /a web server \(nginx\/1\.24\.0\) that answers HTTP 404, with a page titled “Welcome to nginx!”\. That is the server's default page/,
    ],
    [
      'any web server',
      () => answering(200, {}, 'hello'),
      /a web server that answers HTTP 200\. Check the host name/,
    ],
    [
      'one that fails',
      () => answering(500, { server: 'Kestrel' }, 'oops'),
      /\(Kestrel\) that answers HTTP 500\. It fails by itself/,
    ],
    [
      'a login',
      () => answering(401, { 'www-authenticate': 'Basic' }, ''),
      /HTTP 401\. A login or a firewall stands in front/,
    ],
    [
      'a redirection to https',
      () =>
        serve(({ headers }, response) =>
          response
            .writeHead(301, { location: `https://${headers.host?.split(':')[0]}/health/ready?ticket=secret` })
            .end(),
        ),
      /a redirection \(HTTP 301\) to https:\/\/127\.0\.0\.1\/health\/ready\. Give --url https:\/\/127\.0\.0\.1 if it is that one/,
    ],
    [
      'a login page',
      () => serve((_request, response) => response.writeHead(302, { location: '/login?next=/' }).end()),
      /to http:\/\/127\.0\.0\.1:\d+\/login\. A login or a proxy's rule stands in front/,
    ],
    [
      'SignalR',
      () => answering(404, { server: 'Kestrel' }, '', { '/chathub/negotiate': negotiation }),
      /a SignalR server \(its hub is at \/chathub\) \(Kestrel\)/,
    ],
    [
      'LiveKit',
      () =>
        serve(({ url }, response) =>
          response.writeHead(url === '/' ? 200 : url?.startsWith('/rtc/') ? 401 : 404).end('OK'),
        ),
      /a LiveKit server/,
    ],
    [
      'a port for HTTPS',
      () => answering(400, { server: 'nginx' }, 'The plain HTTP request was sent to HTTPS port'),
      /a port for HTTPS\. Give the URL with https:/,
    ],
    [
      'Socket.IO without the hub',
      () => socketServer(() => undefined),
      /a plain Socket\.IO server without the hub \/chat\. Give the URL of this project's service/,
    ],
    [
      'Socket.IO with a namespace of that name',
      () => socketServer((io) => void io.of('/chat')),
      /a Socket\.IO server whose namespace \/chat sends no welcome/,
    ],
    [
      'Socket.IO with a middleware of its own',
      () => socketServer((io) => void io.of('/chat').use((_socket, next) => next(new Error('who are you')))),
      /a Socket\.IO server that rejects clients of \/chat: who are you/,
    ],
    [
      'Socket.IO 2',
      () =>
        answering(404, {}, '', { '/socket.io/': '96:0{"sid":"a","upgrades":[],"pingInterval":25000}2:40' }),
      /a Socket\.IO server of version 2/,
    ],
  ])('%s is named, with what to do', async (_what, open, said) => {
    const { kind, message } = await strangerAt(await open(), 1_000);
    expect(kind).toBe('not-ours');
    expect(message).toMatch(said);
    expect(message).not.toContain('secret');
  });

  test('a proxy without an instance is given a moment, then named', async () => {
    const { kind, message } = await strangerAt(
      await answering(502, { server: 'nginx' }, 'Bad Gateway'),
      1_000,
    );
    expect(kind).toBe('unreachable');
    expect(message).toMatch(/A proxy at .* \(nginx\) answers HTTP 502: it reaches no instance/);
  });

  test('a proxy whose instance comes back is the service', async () => {
    let left = 2;
    const url = await answering(404, {}, 'no', {});
    const slow = await serve((request, response) => {
      if (request.url !== '/health/ready' || left-- > 0) response.writeHead(502).end(url);
      else response.writeHead(200).end('{"status":"ok"}');
    });
    expect((await strangerAt(slow)).kind).toBe('ours');
  });
});

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures', name));
const tls = { cert: fixture('localhost.cert.pem'), key: fixture('localhost.key.pem') };

describe('nothing', () => {
  test.each<[string, () => Promise<string>, RegExp]>([
    ['listens', async () => `http://127.0.0.1:${await freePort()}`, /ECONNREFUSED.*`npm start` starts one/],
    ['has that name', async () => 'http://verify.invalid', /Check the spelling of the host name/],
    [
      'answers',
      async () => `http://127.0.0.1:${await listen(createTcpServer())}`,
      /no response in time\. Check that no firewall/,
    ],
    [
      'speaks HTTP',
      async () =>
        `http://127.0.0.1:${await listen(createTcpServer((socket) => void socket.end('-ERR wrong number of arguments\r\n')))}`,
      /does not speak HTTP: check the port/,
    ],
    [
      'speaks TLS',
      async () => `https://127.0.0.1:${await listen(createServer())}`,
      /It may speak plain HTTP there: give http:\/\//,
    ],
    [
      'is trusted',
      async () => `https://localhost:${await listen(createSecureServer(tls))}`,
      /NODE_EXTRA_CA_CERTS/,
    ],
  ])('nobody %s', async (_what, open, said) => {
    const { kind, message } = await strangerAt(await open(), 1_000);
    expect(kind).toBe('unreachable');
    expect(message).toMatch(said);
  });

  test('hangs up for good: it is asked for some seconds, as a process may be started again', async () => {
    const port = await listen(createTcpServer((socket) => void socket.destroy()));
    expect(await strangerAt(`http://127.0.0.1:${port}`, 1_000)).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('It hangs up: check the port, that it does not want https://'),
    });
  });

  test('a response without an end is bounded', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200);
      setInterval(() => response.write('x'.repeat(10_000)), 1).unref();
    });
    expect((await strangerAt(url, 1_000)).kind).toBe('not-ours');
  });
});

test('the command says so at once, on both outputs with --json, and ends with 2', async () => {
  const folder = stateFolder();
  const url = await answering(200, { server: 'nginx' }, nginx);
  const plain = await runVerify(['--url', url], { stateFolder: folder.path });
  const asJson = await runVerify(['--url', url, '--json'], { stateFolder: folder.path });
  folder.remove();
  const said = `It is not this service that answers at ${url}, but a web server (nginx)`;
  expect(plain).toMatchObject({ code: 2, output: '', errors: expect.stringContaining(said) });
  expect(asJson).toMatchObject({ code: 2, errors: plain.errors });
  expect(JSON.parse(asJson.output)).toEqual({
    ok: false,
    error: { kind: 'not-ours', message: plain.errors.trim() },
  });
});
