import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { CheckFailure } from '../../../../lib/verify/check.ts';
import { timeToRespond } from '../../../../lib/verify/stack/livekit/turn.ts';

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures', name), 'utf8');
const [ca, key] = [fixture('localhost.cert.pem'), fixture('localhost.key.pem')];

let server: Server | undefined;
afterEach(() => server?.close());

async function listen(answer: (socket: TLSSocket, question: Buffer) => void): Promise<number> {
  server = createServer({ cert: ca, key }, (socket) => {
    socket.on('error', () => undefined).once('data', (question) => answer(socket, question));
  });
  server.listen(0);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function faultOf(asking: Promise<number>): Promise<string> {
  const error = await asking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CheckFailure);
  const { found, cause } = (error as CheckFailure).fault;
  return `${found} | ${cause}`;
}

/** As RFC 8489 has it: success, the question's cookie and id, and no attribute. */
const success = (question: Buffer) => Buffer.concat([Buffer.from([1, 1, 0, 0]), question.subarray(4, 20)]);

test('a server that answers, be it in pieces', async () => {
  const port = await listen((socket, question) => {
    expect(question.subarray(0, 8).toString('hex')).toBe('000100002112a442');
    socket.write(success(question).subarray(0, 7));
    setImmediate(() => socket.write(success(question).subarray(7)));
  });
  expect(await timeToRespond({ host: 'localhost', port, ca })).toBeGreaterThan(0);
});

test('a name that leads nowhere', async () => {
  expect(await faultOf(timeToRespond({ host: 'turn.invalid' }))).toMatch(
    /ENOTFOUND|EAI_AGAIN.* \| .*DNS record/,
  );
});

test('a certificate of nobody’s', async () => {
  const port = await listen((socket, question) => socket.write(success(question)));
  expect(await faultOf(timeToRespond({ host: 'localhost', port }))).toContain(
    '| the certificate does not cover',
  );
});

test('nobody listens', async () => {
  const port = await listen(() => undefined);
  server?.close();
  expect(await faultOf(timeToRespond({ host: 'localhost', port, ca }))).toContain(
    '| the network load balancer is not there',
  );
});

test('a load balancer without a node: the connection is closed', async () => {
  const port = await listen((socket) => socket.end());
  expect(await faultOf(timeToRespond({ host: 'localhost', port, ca }))).toContain(
    '| behind the load balancer no node',
  );
});

test('something else answers', async () => {
  const port = await listen((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  expect(await faultOf(timeToRespond({ host: 'localhost', port, ca }))).toContain(
    'none of STUN’s'.replace('’', "'"),
  );
});

test('silence', async () => {
  const port = await listen(() => undefined);
  expect(await faultOf(timeToRespond({ host: 'localhost', port, ca }, 200))).toContain(
    'localhost does not answer over TLS: nothing came',
  );
});
