import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Message } from '../../../../app/protocol/hub.ts';
import { describeWithPython, pythonWith } from '../../../support/python.ts';
import { eventually } from '../../../support/wait.ts';
import { Fleet, heardBy, tokenOf } from './fleet.ts';

/** The clients that Python has, as they are on PyPI, behind a proxy without cookies. */

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

describeWithPython('SignalR clients of Python', () => {
  let fleet: Fleet;
  let python: string;
  const running: PythonClient[] = [];

  beforeAll(async () => {
    [fleet, python] = await Promise.all([Fleet.start(), pythonWith(join(scripts, 'requirements.txt'))]);
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
    const client = new PythonClient(python, [join(scripts, `${library}_client.py`), transport, encoding], {
      URL: fleet.proxy.url,
      ROOM: room,
      TOKEN: tokenOf('guido', { rooms: [`chat/${room}`, `llm/${room}`] }),
    });
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
});

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
