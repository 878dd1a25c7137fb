import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Message } from '../../../../app/protocol/hub.ts';
import { skipSuite } from '../../../support/skipping.ts';
import { eventually } from '../../../support/wait.ts';
import { Fleet, heardBy, isFull, tokenOf } from './fleet.ts';

/** The clients that Python has, as they are on PyPI, behind a proxy without cookies. */

const python = process.env.PYTHON ?? 'python3';
const scripts = join(import.meta.dirname, 'python');

/** What each of them can do: the others are its own faults, which no server mends. */
const clients = [
  ['signalrcore', 'web_sockets', 'json'],
  ['signalrcore', 'web_sockets', 'messagepack'],
  ['signalrcore', 'server_sent_events', 'json'],
  ['signalrcore', 'long_polling', 'json'],
  ['pysignalr', 'web_sockets', 'json'],
  ['pysignalr', 'web_sockets', 'messagepack'],
] as const;

function lack(): string | undefined {
  if (!isFull) return '`npm run test:signalr` runs them';
  if (spawnSync(python, ['-m', 'venv', '--help']).status !== 0)
    return 'no Python with venv: install Python 3.10 or newer, or name it in PYTHON';
  return undefined;
}

const reason = lack();
const title = 'SignalR clients of Python';
if (reason) skipSuite(title, reason, suite);
else describe(title, suite);

function suite(): void {
  let fleet: Fleet;
  let environment: string;
  const running: PythonClient[] = [];

  beforeAll(async () => {
    [fleet, environment] = await Promise.all([Fleet.start(), install()]);
  });
  afterEach(async () => {
    for (const client of running.splice(0)) client.process.kill('SIGKILL');
    await fleet.stopClients();
  });
  afterAll(() => fleet.stop());

  test.each(clients)('%s by %s with %s', async (library, transport, encoding) => {
    const room = `${library} ${transport} ${encoding}`;
    const bystander = await fleet.connect();
    const heard = heardBy(bystander);
    await bystander.invoke('Join', room);
    const client = new PythonClient(
      join(environment, 'bin/python'),
      [join(scripts, `${library}_client.py`), transport, encoding],
      {
        URL: fleet.proxy.url,
        ROOM: room,
        TOKEN: tokenOf('guido', { rooms: [`chat/${room}`, `llm/${room}`] }),
      },
    );
    running.push(client);
    await client.until('ready');
    expect(client.said('joined')).toMatchObject([{ ok: true, recovered: true }]);
    expect(client.said('published')).toMatchObject([{ ok: true, offset: 1 }]);
    const first = { room, from: 'guido', id: 'first', body: { text: 'ä\n“1”' } };
    await client.until('message');
    expect(client.said('message')).toMatchObject([first]);
    await client.until('error');
    expect(client.said('error')).toEqual([expect.stringContaining('HubException: forbidden: ')]);
    const [answer] = client.said('answer') as [string[]];
    expect(answer.length).toBeGreaterThan(1);
    // signalrcore asks for a stream before it listens to it: its first piece may be lost there.
    expect('1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20'.endsWith(answer.join(''))).toBe(true);

    await fleet.replaceLeaving(await client.instance());
    await client.until('reconnected');
    client.goOn();
    await client.until('rejoined');
    await eventually('its second message', () => client.said('message').length === 2);
    expect((client.said('message') as Message[])[1]).toMatchObject({ id: 'second', body: 'again' });
    await eventually('the others to hear it', () => heard.length === 2);
  });

  /** As `python -m venv` and pip bring them, at the versions of `requirements.txt`. */
  async function install(): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'signalr-python-'));
    await run(python, ['-m', 'venv', folder]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
    await run(join(folder, 'bin/python'), [...pip, '-r', join(scripts, 'requirements.txt')]);
    return folder;
  }
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${errors}`);
}

/** A client's process, and what it said. */
class PythonClient {
  readonly process: ChildProcess;
  readonly #said: Record<string, unknown>[] = [];
  #errors = '';

  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv) {
    this.process = spawn(command, args, {
      env: { PATH: process.env.PATH, PYTHONUNBUFFERED: '1', ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.#said.push(JSON.parse(line)),
    );
    this.process.stderr?.on('data', (data) => {
      this.#errors += data;
    });
  }

  said(what: string): unknown[] {
    return this.#said.filter((each) => what in each).map((each) => each[what]);
  }

  async until(what: string): Promise<void> {
    await eventually(`it to say ${what}`, () => {
      if (this.process.exitCode !== null) throw new Error(`it ended:\n${this.#errors}`);
      return this.said(what).length > 0;
    }).catch((error: Error) => {
      throw new Error(
        `${error.message}; it said ${JSON.stringify(this.#said)}\n${this.#errors.slice(-4_000)}`,
      );
    });
  }

  /** The instance that serves it in the chat. */
  async instance(): Promise<string> {
    await this.until('welcome');
    const [{ instance }] = this.said('welcome') as [{ instance: string }];
    return instance;
  }

  goOn(): void {
    this.process.stdin?.write('\n');
  }
}
