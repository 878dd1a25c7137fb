import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import WebSocket from 'ws';
import { paths } from '../../../../app/names.ts';
import { parseOrigins } from '../../../../app/origins.ts';
import { serveBans } from '../../../../app/server/http/bans.ts';
import { createHttp, refuseOtherUpgrades } from '../../../../app/server/http/create.ts';
import { originGate } from '../../../../app/server/http/gates.ts';
import { serveSession } from '../../../../app/server/http/session.ts';
import { createSocketServer } from '../../../../app/server/socketio/server.ts';
import { silent } from '../../../support/redis/link.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';

const secret = 'a secret of thirty-two characters';
const keep = stoppedAfterwards();

/** The service's two doors, sockets and HTTP, for one list of origins. @returns its port */
async function open(list: string): Promise<number> {
  const rules = { corsOrigins: parseOrigins(list), trustedProxyHops: 0 };
  const http = await createHttp({ log: silent, trustedProxyHops: 0, idleTimeoutSeconds: 60 });
  const io = createSocketServer(http.server, rules, [originGate(rules)]);
  refuseOtherUpgrades(http.server, {
    isServed: ({ url }) => url?.startsWith(paths.socketIo) === true,
    onRefused: () => undefined,
  });
  const auth = { secrets: [secret], jwksUrl: undefined, issuer: undefined, audience: undefined };
  const limit = () => undefined;
  serveSession(http, {
    ...rules,
    auth: { ...auth, guests: true, none: false },
    limit,
    admit: () => undefined,
  });
  serveBans(http, { denials: {} as never, hubs: new Map(), serviceTokens: [secret] });
  await http.listen({ port: 0, host: '127.0.0.1' });
  const stop = async () => {
    await io.close();
    await http.close();
  };
  await keep({ stop });
  return (http.server.address() as AddressInfo).port;
}

/** What each door says to a page of this origin: its status, and the origin that it lets read the answer. */
async function doors(port: number, origin: string) {
  const url = `http://127.0.0.1:${port}`;
  const headers = { origin };
  const allowed = (response: Response) => response.headers.get('access-control-allow-origin');
  const polled = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers });
  const guest = await fetch(`${url}/api/session`, { method: 'POST', headers });
  const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, { headers });
  const upgraded = await Promise.race([
    once(ws, 'open').then(() => 200),
    once(ws, 'unexpected-response').then(([, response]) => response.statusCode as number),
  ]);
  ws.on('error', () => undefined).terminate();
  return {
    websocket: upgraded,
    polling: [polled.status, allowed(polled), polled.headers.get('access-control-allow-credentials')],
    http: [guest.status, allowed(guest)],
  };
}

test.each([
  ['https://a.example.com, https://app.example.com', 'https://app.example.com'],
  ['https://app.example.com/', 'https://app.example.com'],
  ['HTTPS://APP.example.com:443', 'https://app.example.com'],
  ['["https://app.example.com"]', 'https://app.example.com'],
  ['https://*.example.com', 'https://pr-7.example.com'],
  ['capacitor://localhost', 'capacitor://localhost'],
  ['chrome-extension://abcdefghijklmnop', 'chrome-extension://abcdefghijklmnop'],
  ['null', 'null'],
])('the list %j lets a page of %s in by every door, and no other', async (list, origin) => {
  const port = await open(list);
  expect(await doors(port, origin)).toEqual({
    websocket: 200,
    polling: [200, origin, 'true'],
    http: [200, origin],
  });
  expect(await doors(port, 'https://evil.example')).toEqual({
    websocket: 403,
    polling: [403, null, null],
    http: [403, null],
  });
});

test('`*` lets every page in, without credentials', async () => {
  const port = await open('*');
  expect(await doors(port, 'https://whoever.example')).toEqual({
    websocket: 200,
    polling: [200, '*', null],
    http: [200, '*'],
  });
});

/** Sends a request whose target is written as it stands here: `fetch` would tidy it. @returns its status */
async function ask(port: number, method: string, target: string, headers: Record<string, string>) {
  const socket = connect(port, '127.0.0.1');
  const lines = Object.entries({
    host: 'api.example.com',
    connection: 'close',
    'content-length': '0',
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`${method} ${target} HTTP/1.1\r\n${head}\r\n`);
  return Number(/^HTTP\/1.1 (\d+)/.exec(await text(socket))?.[1]);
}

/** Other spellings of a path, whether they lead anywhere or not. */
const spellings = (path: string) => [
  path,
  path.replace('s', '%73'),
  path.replace('/api', '/%61%70%69'),
  path.replace('/api/', '/api%2F'),
  `/${path}`,
  path.replace('/api/', '/api//'),
  path.replace('/api/', '/api/./'),
  path.replace('/api/', '/x/../api/'),
  path.toUpperCase(),
  `${path}/`,
  `${path};x=1`,
  `${path}?x=1`,
  `${path}%3Fx`,
  `${path}#x`,
  `http://api.example.com${path}`,
];

test('however a path is written, what it leads to looks at the origin', async () => {
  const port = await open('https://app.example.com');
  const evil = { origin: 'https://evil.example' };
  for (const method of ['POST', 'OPTIONS']) {
    const statuses: number[] = [];
    for (const target of spellings('/api/session')) statuses.push(await ask(port, method, target, evil));
    expect(statuses.filter((status) => status < 400)).toEqual([]);
    // Some lead there: they are refused for the origin.
    expect(statuses.filter((status) => status === 403).length).toBeGreaterThanOrEqual(4);
  }
  const good = { origin: 'https://app.example.com' };
  expect(await ask(port, 'POST', '/api/%73ession', good)).toBe(200);
});

test('however a path is written, what it leads to wants the service token', async () => {
  const port = await open('');
  for (const path of ['/api/bans', '/api/revocations']) {
    for (const target of spellings(path))
      expect(await ask(port, 'POST', target, {})).toBeGreaterThanOrEqual(400);
  }
});

test('however its path is written, a socket is not opened for another origin', async () => {
  const port = await open('');
  const upgrade = {
    origin: 'https://evil.example',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const spelt = [
    '/socket.io/',
    '/%73ocket.io/',
    '//socket.io/',
    '/SOCKET.IO/',
    '/socket.io/;x/',
    '/socket.io/x/',
  ];
  for (const path of spelt) {
    const polling = await ask(port, 'GET', `${path}?EIO=4&transport=polling`, { origin: upgrade.origin });
    expect([403, 404]).toContain(polling);
    const upgraded = await ask(port, 'GET', `${path}?EIO=4&transport=websocket`, upgrade);
    expect([403, 404]).toContain(upgraded);
  }
});
