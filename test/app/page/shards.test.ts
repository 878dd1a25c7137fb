import type { Page } from 'playwright-core';
import type { TopologyState } from '../../../lib/local/state.ts';
import { LocalCommand } from '../../lib/local/fixtures/local-command.ts';
import { openBrowser } from '../../support/clients/browser.ts';
import { describeInFull } from '../../support/full-runs.ts';

describeInFull('page', 'a cluster on the page', () => {
  let command: LocalCommand;
  let state: TopologyState;
  let browser: Awaited<ReturnType<typeof openBrowser>>;

  beforeAll(async () => {
    command = new LocalCommand(['--shards', '3', '--livekit', '0']);
    [state, browser] = await Promise.all([command.ready(), openBrowser()]);
  });

  afterAll(async () => {
    await browser?.close();
    command.process.kill('SIGTERM');
    await command.ended();
  });

  /** Of a shard on the page. */
  function cardOf(page: Page, shard: number) {
    return page
      .getByRole('list', { name: 'Shards' })
      .getByRole('listitem')
      .nth(shard - 1);
  }

  test('slots move and a primary dies on the page, and the count of every message stays whole', async () => {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(`${state.url}/#instances`);
    await page.getByText('3 of 3 shards').first().waitFor();
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByText('Every message once, in order.').waitFor();

    await cardOf(page, 3).getByText('5,462 slots').waitFor();
    await cardOf(page, 3).getByRole('button', { name: 'Move 500 slots to shard 1' }).click();
    await cardOf(page, 3).getByText('4,962 slots').waitFor();
    await cardOf(page, 1).getByText('5,961 slots').waitFor();

    await cardOf(page, 2).getByText('redis-2-1').waitFor();
    await cardOf(page, 2).getByRole('button', { name: 'Kill primary' }).click();
    await cardOf(page, 2).getByText('redis-2-2').waitFor();
    await page.getByText('3 of 3 shards').first().waitFor();
    for (const count of ['Lost unsaid', 'Duplicate', 'Out of order'])
      expect(await page.getByTestId(count).textContent()).toBe('0');
    await page.getByText('Every message once, in order').waitFor();
  });
});
