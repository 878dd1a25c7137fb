import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClientHub, openHub } from '../../../../app/client/hub.ts';
import { ControlClient } from '../../../../lib/local/control/client.ts';
import type { TopologyState } from '../../../../lib/local/state.ts';
import { describeInFull } from '../../../support/full-runs.ts';
import { eventually } from '../../../support/wait.ts';
import { ask } from '../fixtures/client.ts';
import { LocalCommand, longestMs, root } from '../fixtures/local-command.ts';

let project: string;
let command: LocalCommand;
let state: TopologyState;
let control: ControlClient;
let port: number;
const clients: ClientHub<number>[] = [];

// A build takes a second, and on a busy machine a minute.
jest.setTimeout(600_000);

beforeAll(async () => {
  project = copyProject();
  command = new LocalCommand(['--watch', '--livekit', '0', '--drain', '0'], {}, project);
  state = await command.ready();
  await command.prints('each saved change of app/ is built and rolled out');
  control = new ControlClient(state.control);
  port = Number(new URL(state.url).port);
});

afterAll(async () => {
  for (const client of clients) client.close();
  command.process.kill('SIGTERM');
  await command.ended();
  rmSync(join(project, '..'), { recursive: true, force: true });
});

/** The project in a folder whose name has a blank, so that a test can edit its sources. */
function copyProject(): string {
  const copy = join(mkdtempSync(join(tmpdir(), 'realtime-watch-')), 'a b');
  mkdirSync(copy);
  for (const path of [
    'bin',
    'lib',
    'livekit/config',
    'livekit/agent/agent-variables.ts',
    'livekit/agent/names.ts',
    'livekit/agent/variables.ts',
    'app',
    'package.json',
    'tsconfig.json',
  ]) {
    cpSync(join(root, path), join(copy, path), {
      recursive: true,
      filter: (from) => !from.endsWith('node_modules'),
    });
  }
  for (const path of ['node_modules', 'app/node_modules']) symlinkSync(join(root, path), join(copy, path));
  return copy;
}

function source(path: string): string {
  return join(project, 'app', path);
}

/** As most editors save. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}~`, text);
  renameSync(`${file}~`, file);
}

/** What the command prints from now on. */
function fromNow(): { prints(text: string): Promise<void>; all(): string } {
  const start = command.output.length;
  const all = () => command.output.slice(start);
  return { all, prints: (text) => eventually(`"${text}"`, () => all().includes(text), longestMs) };
}

async function instances(): Promise<string[]> {
  const { processes } = await control.state();
  return processes.filter(({ kind }) => kind === 'instance').map(({ id }) => id);
}

async function openGuest(): Promise<ClientHub<number>> {
  const { body } = await ask(port, {
    method: 'POST',
    path: '/api/session',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const hub = openHub<number>(state.url, 'chat', { auth: { token: JSON.parse(body).token }, forceNew: true });
  clients.push(hub);
  return hub;
}

/** One client that publishes on and on, and one that reads. */
class Traffic {
  readonly received: number[] = [];
  readonly lost: unknown[] = [];
  readonly #sender: ClientHub<number>;
  readonly #reader: ClientHub<number>;
  readonly #sending: Promise<number>;
  #isOver = false;

  constructor(sender: ClientHub<number>, reader: ClientHub<number>) {
    this.#sender = sender;
    this.#reader = reader;
    this.#sending = this.#run();
    // end() throws it; a test that failed before does not get there.
    this.#sending.catch(() => {});
  }

  /** @returns how many were sent, once the reader has the last one */
  async end(): Promise<number> {
    this.#isOver = true;
    const sent = await this.#sending;
    await eventually('the last message', () => this.received.at(-1) === sent - 1);
    return sent;
  }

  async #run(): Promise<number> {
    const room = this.#sender.join('watch', { onMessage: () => {} });
    await this.#reader.join('watch', {
      onMessage: ({ body }) => void this.received.push(body),
      onLost: (loss) => void this.lost.push(loss),
    }).joined;
    let sent = 0;
    for (; !this.#isOver; sent += 1) {
      await room.publish(sent);
      await delay(10);
    }
    return sent;
  }
}

test('a saved change replaces the instances one by one, and the clients lose nothing', async () => {
  const before = await instances();
  const traffic = new Traffic(await openGuest(), await openGuest());
  const output = fromNow();
  appendFileSync(source('server/main.ts'), "\nconsole.error('marker of the change');\n");
  await output.prints('all instances have this build');
  const sent = await traffic.end();
  expect(traffic.received).toEqual(Array.from({ length: sent }, (_, index) => index));
  expect(traffic.lost).toEqual([]);
  const after = await instances();
  expect(after).toHaveLength(2);
  expect(after.filter((id) => before.includes(id))).toEqual([]);
  for (const id of after) {
    expect(output.all()).toContain(`${id} | marker of the change`);
    expect(output.all()).toMatch(new RegExp(`watch: ${id} serves the new build, [\\d.]+ s after the save`));
  }
});

/** @throws Error with what was printed meanwhile, if the instances are others */
async function expectInstances(ids: readonly string[], output: { all(): string }): Promise<void> {
  const now = await instances();
  if (now.join() !== ids.join()) throw new Error(`not ${ids}, but ${now}, behind:\n${output.all()}`);
}

/** It does not build. */
const fault = '\nconst = ;\n';

test('a change that does not build is shown and leaves the instances', async () => {
  const before = await instances();
  const output = fromNow();
  appendFileSync(source('server/main.ts'), fault);
  await output.prints('it does not build; the instances go on');
  await output.prints('server/main.ts');
  expect(output.all()).toContain(fault.trim());
  await expectInstances(before, output);
});

describeInFull('topology', 'roll-outs that are cut short', () => {
  test('a change that does not start is shown and leaves the instances', async () => {
    const before = await instances();
    const main = readFileSync(source('server/main.ts'), 'utf8').replace(fault, '');
    let output = fromNow();
    replaceFile(source('server/main.ts'), `${main}\nthrow new Error('no start');\n`);
    await output.prints('the new build does not start; the instances go on');
    const line = main.split('\n').length + 1;
    expect(output.all()).toMatch(new RegExp(`Error: no start\\n.* at .*server/main\\.ts:${line}:7`));
    await expectInstances(before, output);

    // One that dies meanwhile gets the build that it had.
    const [id = ''] = before;
    const { pid } = await control.killInstance(id);
    await eventually(`${id} to be back`, async () => {
      const again = (await control.state()).processes.find((each) => each.id === id);
      return again?.health === 'healthy' && again.pid !== pid;
    });

    output = fromNow();
    replaceFile(source('server/main.ts'), main);
    await output.prints('all instances have this build');
    await expectInstances(before, output);
  });

  test('a save during a roll-out ends it, and the last one is what all instances and the page have', async () => {
    const output = fromNow();
    appendFileSync(source('server/rooms/log/scripts/append.lua'), '\n-- a comment\n');
    await output.prints('serves the new build');
    appendFileSync(source('server/main.ts'), "\nconsole.error('the last save');\n");
    await output.prints('| the last save');
    // Nothing is to be rolled out of it, but what was still on its way.
    appendFileSync(source('page/index.html'), '<!-- the new page -->\n');
    await eventually(
      'all instances to have the last save',
      async () => {
        const ids = await instances();
        return ids.length === 2 && ids.every((id) => output.all().includes(`${id} | the last save`));
      },
      longestMs,
    );
    await eventually('the new page', async () => (await ask(port)).body.includes('the new page'), longestMs);
    await eventually(
      'the last roll-out to end',
      () =>
        output.all().lastIndexOf('all instances have this build') > output.all().lastIndexOf('the last save'),
      longestMs,
    );
    const builds = readdirSync(source('.')).filter((name) => name.startsWith('.dist-'));
    expect(builds).toHaveLength(1);
  });
});
