import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openHub } from '../../../app/client/hub.ts';
import { openMemoryStore } from '../../../app/server/rooms/store/store.ts';
import { openBrowser } from '../../support/clients/browser.ts';
import { type RoomsServer, startRoomsServer } from '../../support/servers/rooms-server.ts';

const app = join(import.meta.dirname, '../../../app');
const clientFile = new URL('../../../app/dist/library/client/hub.js', import.meta.url).href;

/** Of a page, which this project's types are not made for. */
interface PageGlobals {
  readonly URL: { createObjectURL(blob: object): string };
  readonly Blob: new (parts: string[]) => object;
  readonly Worker: new (
    url: string,
  ) => {
    onmessage: (event: { data: unknown }) => void;
    onerror: (event: { message: string }) => void;
  };
}

let server: RoomsServer;
beforeAll(async () => {
  server = await startRoomsServer({ store: openMemoryStore() });
});
afterAll(() => server.close());

/**
 * Imports the client in a thread of its own.
 *
 * @returns what it said, once it has ended by itself: without anything that would keep a process alive
 */
async function run({ setUp = '', use = '' }): Promise<unknown[]> {
  const code = `
    const { parentPort } = require('node:worker_threads');
    const say = (words) => parentPort.postMessage(words);
    ${setUp}
    import('${clientFile}').then(async ({ openHub }) => { ${use} });`;
  const worker = new Worker(code, { eval: true });
  const said: unknown[] = [];
  worker.on('message', (words) => said.push(words));
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  return said;
}

const talk = (url: string) => `
  const hub = openHub('${url}', 'chat', { forceNew: true });
  const ids = [];
  const room = hub.join('r', { onMessage: ({ id }) => ids.push(id) });
  await room.joined;
  await Promise.all([room.publish(1), room.publish(2)]);
  while (ids.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  say(ids);
  hub.close();`;

function expectTwoIds(said: unknown[]): void {
  const [[one, other]] = said as [[string, string]];
  for (const id of [one, other]) expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(one).not.toBe(other);
}

test('a server that renders pages may import it, and a client that is closed keeps no process alive', async () => {
  expect(await run({})).toEqual([]);
  expectTwoIds(await run({ use: talk(server.url) }));
});

test('React Native: what it lacks of a page is not missed', async () => {
  const lacking = ['crypto', 'URL', 'TextEncoder', 'Blob', 'reportError', 'addEventListener', 'document'];
  // Node loads its own WebSocket when it is first asked for, and that needs what is then gone.
  const setUp = `
    void [globalThis.WebSocket, globalThis.fetch];
    for (const name of ${JSON.stringify(lacking)}) Reflect.deleteProperty(globalThis, name);
    if (globalThis.crypto || globalThis.URL) throw new Error('they are still there');
    globalThis.window = globalThis;
    globalThis.navigator = { product: 'ReactNative' };`;
  // With a final slash, as people write it.
  expectTwoIds(await run({ setUp, use: talk(`${server.url}/`) }));
});

test('a worker of a page has it as the page does', async () => {
  const bundle = execFileSync(join(app, 'node_modules/.bin/esbuild'), [
    join(app, 'client/hub.ts'),
    '--bundle',
    '--global-name=client',
    '--log-level=warning',
  ]);
  const browser = await openBrowser();
  try {
    const page = await browser.context.newPage();
    // Any page of the origin.
    await page.goto(`${server.url}/socket.io/socket.io.js`);
    const code = `${bundle}; const { openHub } = client; const say = postMessage; (async () => {${talk(server.url)}})();`;
    const ids = await page.evaluate(async (source) => {
      const { Worker, Blob, URL } = globalThis as unknown as PageGlobals;
      const worker = new Worker(URL.createObjectURL(new Blob([source])));
      return new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      });
    }, code);
    expectTwoIds([ids]);
  } finally {
    await browser.close();
  }
});

test.each(['', 'realtime.example.com', 'ftp://realtime.example.com', '/socket'])(
  'a URL that is none says so at once: %j',
  (url) => {
    expect(() => openHub(url, 'chat')).toThrow(
      `the service's URL must be like https://realtime.example.com, got: ${url}`,
    );
  },
);
