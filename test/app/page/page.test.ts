import type { Page } from 'playwright-core';
import { openBrowser } from '../../support/browser.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startInstance, type TestInstance } from '../../support/service.ts';

const serviceToken = 'a service token of forty characters or so';
let redis: TestRedis;
let instances: TestInstance[];
let browser: Awaited<ReturnType<typeof openBrowser>>;

beforeAll(async () => {
  redis = await startRedis();
  const environment = {
    REDIS_URL: redis.url,
    AUTH_SECRET: 'a secret of thirty-two characters',
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

test('the map shows both instances, and the count of every message stays whole', async () => {
  const [left] = await openBoth('instances');
  for (const id of ['left', 'right']) await left.getByRole('listitem').filter({ hasText: id }).waitFor();
  await left.getByRole('button', { name: 'Start' }).click();
  await left.getByText('Every message once, in order.').waitFor();
  expect(await left.getByTestId('Lost unsaid').textContent()).toBe('0');
  expect(await left.getByText('Break things').count()).toBe(0);
});

test('the keyboard is enough', async () => {
  const page = await open(instances[0] as TestInstance, 'chat', 'keys');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByLabel('Question').waitFor();
  for (let step = 0; step < 5; step += 1) await page.keyboard.press('Tab');
  await page.keyboard.type('count to 3');
  await page.keyboard.press('Enter');
  await page.getByText('1 2 3').waitFor();
});

test('a window whose instance ends says so', async () => {
  const page = await open(instances[1] as TestInstance);
  await instances[1]?.kill('SIGTERM');
  await page.getByText('Connection lost, coming back…').waitFor();
});
