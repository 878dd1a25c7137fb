import type { Locator, Page } from 'playwright-core';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { describeWithAgent, startAgent, type TestAgent } from '../../livekit/support/agent.ts';
import {
  apiKey,
  describeWithLiveKit,
  freeLiveKitPorts,
  startLiveKit,
  type TestNode,
} from '../../livekit/support/livekit-server.ts';
import { openBrowser } from '../../support/clients/browser.ts';
import { startRedis, type TestRedis } from '../../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../../support/servers/service.ts';
import { eventually } from '../../support/wait.ts';

/** A camera and a microphone that Chromium makes up, and nobody to ask whether the page may have them. */
const fakeDevices = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
const auth = { AUTH_SECRET: 'a secret of thirty-two characters', GUESTS: 'true' };

/** Of HTMLVideoElement: these tests are compiled without the DOM's types. */
interface Video {
  /** In pixels; 0 before the first picture. */
  readonly videoWidth: number;
}

let browser: Awaited<ReturnType<typeof openBrowser>>;
/** What the page's Content-Security-Policy forbade: nothing is to. */
const forbidden: string[] = [];

beforeAll(async () => {
  browser = await openBrowser(fakeDevices);
});

afterAll(async () => {
  await browser?.close();
});

afterEach(() => expect(forbidden.splice(0)).toEqual([]));

async function open({ url }: TestInstance, room: string): Promise<Page> {
  const page = await browser.context.newPage();
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) forbidden.push(message.text());
  });
  await page.goto(`${url}/?room=${room}#call`);
  await page.getByText('Connected ·').waitFor();
  return page;
}

describe('without a media server', () => {
  let instance: TestInstance;
  beforeAll(async () => {
    instance = await startInstance('alone', auth);
  });
  afterAll(() => instance?.kill('SIGKILL'));

  test('the page says so and what to do, loads no LiveKit, and the chat beside works', async () => {
    const page = await open(instance, 'alone');
    await page.getByRole('heading', { name: 'No media server' }).waitFor();
    await page.getByText('npx cdk deploy -c liveKitNodes=2').waitFor();
    expect(await page.getByRole('button', { name: 'Join the call' }).count()).toBe(0);
    await page.getByLabel('Message', { exact: true }).fill('only words');
    await page.keyboard.press('Enter');
    await page.getByRole('listitem').filter({ hasText: 'only words' }).waitFor();
    const loaded = await page.evaluate(() =>
      performance.getEntriesByType('resource').map(({ name }) => name),
    );
    expect(loaded.filter((name) => name.includes('call-stage'))).toEqual([]);
    await page.close();
  });
});

describeWithLiveKit('two instances and two LiveKit nodes', () => {
  let redis: TestRedis;
  let nodes: TestNode[];
  let instances: TestInstance[];

  beforeAll(async () => {
    redis = await startRedis();
    const ports = [await freeLiveKitPorts(), await freeLiveKitPorts()];
    instances = await Promise.all(
      ports.map(async ({ signalling }, index) =>
        startInstance(index === 0 ? 'left' : 'right', {
          ...auth,
          PORT: String(await freePort()),
          REDIS_URL: redis.url,
          LIVEKIT_URL: `ws://127.0.0.1:${signalling}`,
          LIVEKIT_API_KEY: apiKey.key,
          LIVEKIT_API_SECRET: apiKey.secret,
        }),
      ),
    );
    const settings = {
      redis: { endpoints: [{ host: '127.0.0.1', port: redis.port }], tls: false },
      webhook: { urls: instances.map(({ url }) => `${url}/api/livekit/webhook`), apiKey: apiKey.key },
      room: { departureTimeoutSeconds: 1 },
    };
    nodes = await Promise.all(ports.map((own) => startLiveKit({ ...settings, ports: own })));
  });
  afterAll(async () => {
    await Promise.all((nodes ?? []).map((node) => node.stop()));
    await Promise.all((instances ?? []).map((instance) => instance.kill('SIGKILL')));
    await redis?.stop();
  });

  async function openBoth(room: string): Promise<[left: Page, right: Page]> {
    return (await Promise.all(instances.map((instance) => open(instance, room)))) as [Page, Page];
  }

  const join = (page: Page) => page.getByRole('button', { name: 'Join the call' }).click();

  /** Pictures of somebody else come. */
  const sees = (page: Page, source: 'camera' | 'screen_share') =>
    eventually(`a video of another one's ${source}`, () =>
      page
        .locator(`[data-lk-local-participant="false"] video[data-lk-source="${source}"]`)
        .evaluateAll((videos) => videos.some((video) => (video as unknown as Video).videoWidth > 0)),
    );

  test('two windows see each other, through different nodes, and the chat reports the call', async () => {
    const [left, right] = await openBoth('both');
    await left.getByText('Nobody is in the call').waitFor();
    await join(left);
    await right.getByText('In the call: 1').waitFor();
    await join(right);
    for (const page of [left, right]) {
      await sees(page, 'camera');
      await page.getByText('In the call: 2').waitFor();
      await page.getByText('The call has started').waitFor();
      expect(await page.getByText('joined the call').count()).toBe(2);
    }
    await left.getByLabel('Message', { exact: true }).fill('do you see me?');
    await left.keyboard.press('Enter');
    await right.getByText('do you see me?').waitFor();

    await left.getByRole('button', { name: 'Share screen' }).click();
    await sees(right, 'screen_share');

    await left.getByRole('button', { name: 'Leave' }).click();
    await left.getByText('In the call: 1').waitFor();
    await right.getByText('left the call').waitFor();
    await right.getByRole('button', { name: 'Leave' }).click();
    await right.getByText('The call has ended').waitFor();
    await right.getByText('Nobody is in the call').waitFor();
    await Promise.all([left.close(), right.close()]);
  });

  test('the keyboard is enough, and a camera that is not wanted stays off', async () => {
    const page = await open(instances[0] as TestInstance, 'keys');
    const camera = page.getByRole('checkbox', { name: 'camera' });
    await camera.waitFor();
    await tabTo(page, camera);
    await page.keyboard.press('Space');
    await tabTo(page, page.getByRole('button', { name: 'Join the call' }));
    await page.keyboard.press('Enter');
    const microphone = page.getByRole('button', { name: 'Microphone', exact: true, pressed: true });
    await microphone.waitFor();
    expect(await page.getByRole('button', { name: 'Camera', exact: true, pressed: true }).count()).toBe(0);
    await tabTo(page, page.getByRole('button', { name: /^Make .* large or small$/ }));
    await page.keyboard.press('Enter');
    await tabTo(page, microphone);
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Microphone', exact: true, pressed: false }).waitFor();
    await tabTo(page, page.getByRole('button', { name: 'Leave' }));
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Join the call' }).waitFor();
    await page.close();
  });

  describeWithAgent('the button that calls the voice agent', () => {
    let agent: TestAgent;
    beforeAll(async () => {
      agent = await startAgent(nodes[1]?.url as string);
    });
    afterAll(() => agent?.stop());

    test('brings it into this call, and into no other', async () => {
      const [page, other] = await Promise.all([
        open(instances[0] as TestInstance, 'agent'),
        open(instances[1] as TestInstance, 'no-agent'),
      ]);
      await Promise.all([join(page), join(other)]);
      await page.getByRole('button', { name: 'Call the voice agent' }).click();
      await page.getByText('The voice agent is here').waitFor();
      await page.getByText('The voice agent joined the call').waitFor();
      expect(await other.getByRole('button', { name: 'Call the voice agent' }).isEnabled()).toBe(true);
      await Promise.all([page.close(), other.close()]);
    });
  });
});

/** Presses Tab until it is there. */
async function tabTo(page: Page, wanted: Locator): Promise<void> {
  const isThere = () => wanted.first().evaluate((element) => element === element.ownerDocument.activeElement);
  for (let step = 0; step < 30; step += 1) {
    if (await isThere()) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never came to ${wanted}`);
}
