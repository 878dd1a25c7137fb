import { PageRoutes } from '../../../../lib/local/control/routes.ts';
import { LoadBalancer } from '../../../../lib/local/proxy/load-balancer.ts';
import { eventually } from '../../../support/wait.ts';
import { type Answer, ask } from '../fixtures/client.ts';
import { startTarget, type Target } from '../fixtures/target.ts';

let balancer: LoadBalancer;
let target: Target;
let port: number;
let done: number;

beforeEach(async () => {
  done = 0;
  const routes = new PageRoutes(
    [
      { method: 'GET', path: /^\/state$/, run: () => ({ processes: [] }) },
      { method: 'POST', path: /^\/instances\/([^/]+)\/kill$/, run: ([id]) => ({ id, done: ++done }) },
    ],
    () => port,
  );
  balancer = new LoadBalancer({ ownRoutes: (request, response) => routes.serve(request, response) });
  port = await balancer.listen(0);
  target = await startTarget('app-1');
  balancer.register(target);
  await eventually('it to be healthy', () => balancer.status()[0]?.health === 'healthy');
});

afterEach(async () => {
  await balancer.close();
  await target.stop();
});

function kill(headers: Record<string, string> = {}): Promise<Answer> {
  return ask(port, { method: 'POST', path: '/local/instances/app-1/kill', headers });
}

test.each([
  ['the page', () => ({ host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` })],
  [
    'the page as localhost',
    () => ({
      host: `localhost:${port}`,
      origin: `http://localhost:${port}`,
      'sec-fetch-site': 'same-origin',
    }),
  ],
  ['a program', () => ({})],
])('%s may break things', async (_who, headers) => {
  const { status, body } = await kill({ ...headers() });
  expect([status, JSON.parse(body)]).toEqual([200, { id: 'app-1', done: 1 }]);
});

test.each([
  ['a foreign page', () => ({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })],
  [
    'a page of another port',
    () => ({ origin: `http://127.0.0.1:${port + 1}`, 'sec-fetch-site': 'same-site' }),
  ],
  ['a page without origin', () => ({ origin: 'null' })],
  ['a foreign page that hides its origin', () => ({ 'sec-fetch-site': 'cross-site' })],
  [
    'a foreign name that leads here',
    () => ({ host: `evil.example:${port}`, origin: `http://evil.example:${port}` }),
  ],
  ['a name that only begins well', () => ({ host: `127.0.0.1.evil.example:${port}` })],
  ['no port', () => ({ host: '127.0.0.1' })],
])('%s may not, and can not read the reply that says so', async (_who, headers) => {
  const { status, headers: answered } = await kill({ ...headers() } as unknown as Record<string, string>);
  expect(status).toBe(403);
  expect(answered['access-control-allow-origin']).toBeUndefined();
  expect(done).toBe(0);
});

test('what is not there is answered here, and never by an instance', async () => {
  const { status, body } = await ask(port, { path: '/local/nothing' });
  expect([status, JSON.parse(body)]).toEqual([404, { error: 'no such route: GET /nothing' }]);
  expect((await ask(port, { path: '/local/instances/%ff/kill', method: 'POST' })).status).toBe(400);
  expect(target.requests).toEqual([]);
  expect((await ask(port, { path: '/localities' })).body).toBe('app-1');
});
