import type { Page } from 'playwright-core';
import { openBrowser } from '../../support/browser.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startInstance, type TestInstance } from '../../support/service.ts';

let redis: TestRedis;
let instances: TestInstance[];
let browser: Awaited<ReturnType<typeof openBrowser>>;

beforeAll(async () => {
  redis = await startRedis();
  instances = await Promise.all(['left', 'right'].map((id) => startInstance(id, { REDIS_URL: redis.url })));
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await Promise.all((instances ?? []).map((instance) => instance.kill('SIGKILL')));
  await redis?.stop();
});

async function open(instance: TestInstance): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(`${instance.url}/?room=test`);
  await page.getByText('Connected').waitFor();
  return page;
}

test('two windows on two instances talk, each showing the instance that serves it', async () => {
  const [left, right] = await Promise.all(instances.map(open));
  if (!left || !right) throw new Error('no page');
  expect(await left.getByTestId('instance').textContent()).toBe('left');
  expect(await right.getByTestId('instance').textContent()).toBe('right');

  await left.getByLabel('Message', { exact: true }).fill('hello from the left');
  await left.keyboard.press('Enter');
  await right.getByText('hello from the left').waitFor();
  await right.getByLabel('Message', { exact: true }).fill('<b>and back</b>');
  await right.getByRole('button', { name: 'Send' }).click();
  await left.getByText('<b>and back</b>').waitFor();
  expect(await left.getByRole('listitem').count()).toBe(2);
});

test('a window whose instance ends says so', async () => {
  const page = await open(instances[1] as TestInstance);
  await instances[1]?.kill('SIGTERM');
  await page.getByText('Connection lost, coming back…').waitFor();
});
