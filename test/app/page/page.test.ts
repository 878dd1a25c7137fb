import type { Page, WebSocket } from 'playwright-core';
import { signToken } from '../../../app/server/auth/hmac.ts';
import { openBrowser } from '../../support/clients/browser.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { startRedis, type TestRedis } from '../../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../../support/servers/service.ts';

const secret = 'a secret of thirty-two characters';
const serviceToken = 'a service token of forty characters or so';
let redis: TestRedis;
let instances: TestInstance[];
let browser: Awaited<ReturnType<typeof openBrowser>>;

beforeAll(async () => {
  redis = await startRedis();
  const environment = {
    REDIS_URL: redis.url,
    AUTH_SECRET: secret,
    GUESTS: 'true',
    SERVICE_TOKEN: serviceToken,
  };
  instances = await Promise.all(['left', 'right'].map((id) => startInstance(id, environment)));
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await Promise.all((instances ?? []).map((instance) => instance.kill('SIGKILL')));
  await redis?.stop();
});

/** Waits for what takes a busy machine a while. */
const patience = { timeout: 60_000 };

async function open(instance: TestInstance, view = 'chat', room = 'test'): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(`${instance.url}/?room=${room}#${view}`);
  await page.getByText('Connected ·').waitFor();
  return page;
}

async function openBoth(view: string, room = view): Promise<[left: Page, right: Page]> {
  const pages = await Promise.all(instances.map((instance) => open(instance, view, room)));
  return pages as [Page, Page];
}

test('two windows on two instances talk, each showing the instance that serves it', async () => {
  const [left, right] = await openBoth('chat');
  expect(await left.getByTestId('instance').textContent()).toBe('left');
  expect(await right.getByTestId('instance').textContent()).toBe('right');

  await left.getByLabel('Message', { exact: true }).fill('hello from the left');
  await left.keyboard.press('Enter');
  await right.getByText('hello from the left').waitFor();
  await right.getByLabel('Message', { exact: true }).fill('<b>and back</b>');
  await right.getByRole('button', { name: 'Send' }).click();
  await left.getByText('<b>and back</b>').waitFor();
  const messages = left.getByRole('list', { name: 'Messages' }).getByRole('listitem');
  expect(await messages.count()).toBe(2);
});

test('a room shows who is in it and who is typing, on both instances, and what was said before', async () => {
  const [left, right] = await openBoth('chat', 'people');
  for (const page of [left, right]) await page.getByText('Here now 2').waitFor({ timeout: 20_000 });
  await left.getByLabel('Message', { exact: true }).pressSequentially('hm');
  await right.getByText('is typing…').waitFor();
  expect(await left.getByText('is typing…').count()).toBe(0);
  await left.keyboard.press('Enter');
  const late = await open(instances[1] as TestInstance, 'chat', 'people');
  await late.getByText('hm', { exact: true }).waitFor();
  await late.getByText('Here now 3').waitFor({ timeout: 20_000 });
});

test('an answer is read in both windows as it is made, and can be cancelled', async () => {
  const [left, right] = await openBoth('ai');
  await left.getByLabel('Question').fill('count to 30');
  await left.keyboard.press('Enter');
  for (const page of [left, right]) {
    await page.getByText('Answered').waitFor();
    expect(await page.getByTestId('answer').textContent()).toContain('28 29 30');
  }
  await left.getByLabel('Question').fill('count to 5000');
  await left.keyboard.press('Enter');
  await left.getByRole('button', { name: 'Cancel' }).click();
  for (const page of [left, right]) await page.getByText('Cancelled').waitFor();
  expect(await right.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
});

test('the map shows both instances, and the count of every message stays whole', async () => {
  const [left] = await openBoth('instances');
  for (const id of ['left', 'right']) await left.getByRole('listitem').filter({ hasText: id }).waitFor();
  await left.getByRole('button', { name: 'Start' }).click();
  await left.getByText('Every message once, in order.').waitFor();
  expect(await left.getByTestId('Lost unsaid').textContent()).toBe('0');
  expect(await left.getByText('Break things').count()).toBe(0);
});

test('a window is switched to SignalR and back, and stays the same user in the same room', async () => {
  const page = await open(instances[0] as TestInstance, 'ai', 'switch');
  const connected = () => page.getByText('Connected ·').waitFor(patience);
  const answered = async (question: string, answer: string) => {
    await page.getByLabel('Question').fill(question);
    await page.keyboard.press('Enter');
    await page.getByTestId('answer').filter({ hasText: answer }).waitFor(patience);
  };
  await answered('count to 3', '1 2 3');
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  const isOf = (hub: string) => (socket: WebSocket) => new URL(socket.url()).pathname === hub;
  const signalR = page.waitForEvent('websocket', { predicate: isOf('/llmhub'), ...patience });
  await page.getByRole('radio', { name: 'SignalR' }).check();
  await signalR;
  await connected();
  await answered('count to 5', '1 2 3 4 5');
  expect(loaded.filter((path) => path.includes('over-signalr'))).toHaveLength(1);
  expect(await page.getByText('(you)').count()).toBe(2);

  await page.reload();
  await connected();
  expect(await page.getByRole('radio', { name: 'SignalR' }).isChecked()).toBe(true);
  const socketIO = page.waitForEvent('websocket', { predicate: isOf('/socket.io/'), ...patience });
  await page.getByRole('radio', { name: 'SignalR' }).press('ArrowLeft');
  await socketIO;
  await connected();
  expect(await page.getByRole('radio', { name: 'Socket.IO' }).isChecked()).toBe(true);
  await answered('count to 7', '1 2 3 4 5 6 7');
});

/** A window that still has this token, of a guest who was there before. */
async function openWith(token: string): Promise<Page> {
  const page = await browser.context.newPage();
  await page.addInitScript((kept) => {
    const { sessionStorage } = globalThis as unknown as { sessionStorage: Storing };
    if (!sessionStorage.getItem('realtime-stack-token')) sessionStorage.setItem('realtime-stack-token', kept);
  }, token);
  return page;
}

interface Storing {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600;

test('a token that has ended is replaced, whatever the clock of the window says of it', async () => {
  const ended = signToken({ sub: 'guest:before', exp: inAnHour() - 7_200 }, secret);
  const page = await openWith(ended);
  await page.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() - 86_400_000;
  });
  // While the service gives no other one, the window says why it waits.
  await page.route('**/api/session', (route) =>
    route.fulfill({ json: { token: ended, subject: 'guest:before' } }),
  );
  await page.goto(`${instances[0]?.url}/#chat`);
  await page.getByText('Your session has ended; asking for a new one…').waitFor();
  await page.unroute('**/api/session');
  await page.getByText('Connected ·').waitFor();
});

describeInFull('page', 'as well', () => {
  test('what a backend publishes over HTTP is read in both windows', async () => {
    const [left, right] = await openBoth('backtests');
    const response = await fetch(`${instances[0]?.url}/api/hubs/backtests/rooms/demo/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ body: { progress: 0.5, text: 'half of it' } }),
    });
    expect(response.status).toBe(201);
    for (const page of [left, right]) await page.getByText('half of it').waitFor();
    expect(await right.getByRole('progressbar').getAttribute('value')).toBe('0.5');
  });

  test('the keyboard is enough', async () => {
    const page = await open(instances[0] as TestInstance, 'chat', 'keys');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByLabel('Question').waitFor();
    for (let step = 0; step < 6; step += 1) await page.keyboard.press('Tab');
    await page.keyboard.type('count to 3');
    await page.keyboard.press('Enter');
    await page.getByText('1 2 3').waitFor();
  });

  test('a message that is too large says so, and stays to be shortened', async () => {
    const page = await open(instances[0] as TestInstance, 'chat', 'large');
    const message = page.getByLabel('Message', { exact: true });
    // Three bytes each, and eleven of JSON around them.
    await message.fill('€'.repeat(30_000));
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Not sent: the body has 90,011 bytes, and may have 65,536').waitFor();
    await page.getByText('Connected ·').waitFor();
    await message.fill('shorter');
    await page.keyboard.press('Enter');
    await page.getByRole('listitem').filter({ hasText: 'shorter' }).waitFor();
  });

  test('a token of before the service had other keys is replaced', async () => {
    const page = await openWith(
      signToken({ sub: 'guest:before', exp: inAnHour() }, 'another secret of thirty-two'),
    );
    await page.goto(`${instances[0]?.url}/#chat`);
    await page.getByText('Connected ·').waitFor();
  });
});

test('a window whose instance ends says so', async () => {
  const page = await open(instances[1] as TestInstance);
  await instances[1]?.kill('SIGTERM');
  await page.getByText('Connection lost, coming back…').waitFor();
});
