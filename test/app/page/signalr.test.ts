import type { Page } from 'playwright-core';
import { signToken } from '../../../app/server/auth/hmac.ts';
import { openBrowser } from '../../support/clients/browser.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { type CookielessProxy, openCookielessProxy } from '../../support/network/cookieless-proxy.ts';
import { startRedis, type TestRedis } from '../../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../../support/servers/service.ts';

const secret = 'a secret of thirty-two characters';
let redis: TestRedis;
let environment: NodeJS.ProcessEnv;
let instances: TestInstance[];
let proxy: CookielessProxy;
let browser: Awaited<ReturnType<typeof openBrowser>>;

beforeAll(async () => {
  redis = await startRedis();
  environment = { REDIS_URL: redis.url, AUTH_SECRET: secret, GUESTS: 'true' };
  instances = await Promise.all(['one', 'two', 'three'].map((id) => startInstance(id, environment)));
  proxy = await openCookielessProxy(instances.map(({ url }) => url));
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await proxy?.close();
  await Promise.all((instances ?? []).map((instance) => instance.kill('SIGKILL')));
  await redis?.stop();
});

/** Waits for what takes a busy machine a while: a killed instance's answers end when its lease does. */
const patience = { timeout: 60_000 };

async function open(room: string, protocol?: 'signalr'): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(`${proxy.url}/?room=${room}${protocol ? `&protocol=${protocol}` : ''}#ai`);
  await connected(page);
  return page;
}

async function connected(page: Page): Promise<void> {
  await page.getByText('Connected ·').waitFor(patience);
}

async function instanceOf(page: Page): Promise<string> {
  return (await page.getByTestId('instance').textContent()) ?? '';
}

async function ask(page: Page, question: string): Promise<void> {
  await page.getByLabel('Question').fill(question);
  await page.keyboard.press('Enter');
}

/** Waits until so many tokens of the answer are shown. */
function shows(page: Page, text: string) {
  return page.getByTestId('answer').filter({ hasText: text }).waitFor(patience);
}

/** Kills the instance, and has another one in its place when the test is over. */
async function killed(id: string): Promise<void> {
  const index = instances.findIndex((each) => each.id === id);
  await instances[index]?.kill('SIGKILL');
  const { url } = instances[index] as TestInstance;
  instances[index] = await startInstance(`${id}-again`, { ...environment, PORT: new URL(url).port });
}

/** A window whose session the service gives as this token, until `unroute`. */
async function openWith(token: string): Promise<Page> {
  const page = await browser.context.newPage();
  await page.route('**/api/session', (route) => route.fulfill({ json: { token, subject: 'guest:before' } }));
  await page.goto(`${proxy.url}/?room=tokens&protocol=signalr#ai`);
  return page;
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

describeInFull('page', 'SignalR and what goes wrong', () => {
  test('a question that is asked over one protocol is read and answered in windows of both', async () => {
    const [socketIO, signalR] = [await open('both'), await open('both', 'signalr')];
    await ask(signalR, 'count to 30');
    for (const page of [socketIO, signalR]) {
      await page.getByText('count to 30').waitFor(patience);
      await page.getByText('Answered').waitFor(patience);
      expect(await page.getByTestId('answer').textContent()).toMatch(/^1 2 3 .* 28 29 30$/);
    }
    await ask(socketIO, 'count to 5000');
    await shows(signalR, '1 2 3');
    expect(await signalR.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
    await socketIO.getByRole('button', { name: 'Cancel' }).click();
    await signalR.getByText('Cancelled').waitFor(patience);

    await ask(signalR, 'count to 5001');
    await signalR.getByRole('button', { name: 'Cancel' }).click();
    for (const page of [socketIO, signalR]) await page.getByText('Cancelled').nth(1).waitFor(patience);
  });

  test('an answer goes on over SignalR when the instance that serves the window is killed', async () => {
    const [asking, reading] = [await open('killed'), await open('killed', 'signalr')];
    while ((await instanceOf(reading)) === (await instanceOf(asking))) {
      await reading.reload();
      await connected(reading);
    }
    const first = await instanceOf(reading);
    await ask(asking, 'count to 300');
    await shows(reading, '1 2 3 4 5');
    await killed(first);
    for (const page of [asking, reading]) {
      await page.getByText('Answered').waitFor(patience);
      const upTo300 = Array.from({ length: 300 }, (_, index) => index + 1).join(' ');
      expect(await page.getByTestId('answer').textContent()).toBe(upTo300);
    }
    await connected(reading);
    expect(await instanceOf(reading)).not.toBe(first);
  });

  test('an answer whose own instance is killed is told to be cut, and the next question is answered', async () => {
    const [asking, reading] = [await open('cut', 'signalr'), await open('cut')];
    await ask(asking, 'count to 5000');
    await shows(asking, '1 2 3 4 5');
    await killed(await instanceOf(asking));
    for (const page of [asking, reading]) {
      await page.getByText('Interrupted: the instance that answered has failed').waitFor(patience);
      expect(await page.getByTestId('answer').textContent()).toMatch(/^1 2 3 4 5 /);
    }
    await ask(asking, 'count to 9');
    await shows(asking, '1 2 3 4 5 6 7 8 9');
  });

  test('a window says when it loses its connection, and why SignalR is not in use', async () => {
    const page = await open('lost', 'signalr');
    const { targets } = proxy;
    proxy.targets = [];
    await killed(await instanceOf(page));
    await page.getByText('Connection lost, coming back…').waitFor(patience);
    await ask(page, 'count to 4');
    proxy.targets = targets;
    await shows(page, '1 2 3 4');
    await connected(page);

    const other = await open('lost');
    await other.route('**/over-signalr*', (route) => route.abort());
    await other.getByRole('radio', { name: 'SignalR' }).click();
    await other
      .getByText("SignalR's client could not be loaded, so this is still Socket.IO")
      .waitFor(patience);
    expect(await other.getByRole('radio', { name: 'Socket.IO' }).isChecked()).toBe(true);
    await connected(other);
  });

  test('a token that is not taken any more is replaced over SignalR, too', async () => {
    const ended = await openWith(signToken({ sub: 'guest:before', exp: inSeconds(-60) }, secret));
    await ended.getByText('Your session has ended; asking for a new one…').waitFor(patience);
    await ended.unroute('**/api/session');
    await connected(ended);

    const foreign = await openWith(
      signToken({ sub: 'guest:before', exp: inSeconds(3_600) }, `${secret} of others`),
    );
    await foreign.getByText('The service does not let this page in').waitFor(patience);
  });

  test('a question for which the token has ended is asked again with another one', async () => {
    const exp = inSeconds(10);
    const page = await openWith(signToken({ sub: 'guest:before', exp }, secret));
    await connected(page);
    await page.unroute('**/api/session');
    await new Promise((resolve) => setTimeout(resolve, exp * 1_000 + 500 - Date.now()));
    await ask(page, 'count to 6');
    await shows(page, '1 2 3 4 5 6');
  });
});
