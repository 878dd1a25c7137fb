import { once } from 'node:events';
import WebSocket from 'ws';
import { originGate, rateGate, readinessGate } from '../../../../app/server/http/gates.ts';
import { openLimits } from '../../../../app/server/limits/limits.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { allowRequest } from '../../../../app/server/socketio/server.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';

/** Ten handshakes of an address, and none more while the test lasts. */
const limits = openLimits({
  deployment: 'test',
  rules: { handshakesByAddress: { name: 'handshake', burst: 10, perSecond: 0.001 } },
});
let isReady = true;
let server: RoomsServer;
beforeAll(async () => {
  server = await startRoomsServer(
    { store: openMemoryStore() },
    {
      allowRequest: allowRequest([
        readinessGate(
          () => isReady,
          () => 'draining',
        ),
        originGate({ corsOrigins: [], trustedProxyHops: 1 }),
        rateGate(limits.handshake, 1),
      ]),
    },
  );
});
afterAll(async () => {
  limits.close();
  await server.close();
});

const poll = (headers: Record<string, string>) =>
  fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, { headers });

/** @returns what an upgrade is answered with when it is refused */
async function upgrade(
  headers: Record<string, string>,
): Promise<{ status: number; retryAfter: number; body: string }> {
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
    headers,
  });
  ws.on('error', () => undefined);
  const [, response] = await once(ws, 'unexpected-response');
  let body = '';
  for await (const chunk of response) body += chunk;
  ws.terminate();
  return { status: response.statusCode, retryAfter: Number(response.headers['retry-after']), body };
}

test('an address that comes too often is told when to come back, whatever it writes itself; others get in', async () => {
  const flooder = { 'x-forwarded-for': '203.0.113.66' };
  for (let n = 0; n < 10; n += 1) expect((await poll(flooder)).status).toBe(200);
  for (const headers of [flooder, { 'x-forwarded-for': '198.51.100.1, 203.0.113.66' }]) {
    const polled = await poll(headers);
    expect(polled.status).toBe(429);
    expect(Number(polled.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await polled.json()).toMatchObject({ error: { code: 'rate_limited' } });
    const { status, retryAfter, body } = await upgrade(headers);
    expect([status, JSON.parse(body).error.code]).toEqual([429, 'rate_limited']);
    expect(retryAfter).toBeGreaterThan(0);
  }
  expect((await poll({ 'x-forwarded-for': '203.0.113.67' })).status).toBe(200);
});

test('an instance that takes no clients says so, before it counts or looks at anything', async () => {
  isReady = false;
  const refused = await poll({ origin: 'https://evil.example' });
  expect([refused.status, await refused.json()]).toEqual([
    503,
    { error: { code: 'unavailable', message: 'the instance is draining' } },
  ]);
  expect((await upgrade({})).status).toBe(503);
  isReady = true;
});
