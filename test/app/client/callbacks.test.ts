import { Worker } from 'node:worker_threads';
import { Notifier } from '../../../app/client/connection/notify.ts';
import { type ClientHub, openHub } from '../../../app/client/hub.ts';
import type { RoomHandlers } from '../../../app/client/room/room.ts';
import {
  errorReply,
  joined,
  message,
  openScriptedHub,
  type ScriptedHub,
} from '../../support/servers/scripted-hub.ts';
import { eventually } from '../../support/wait.ts';

let server: ScriptedHub;
let hub: ClientHub<number>;
/** What the application's callbacks threw, as `onError` heard it. */
let faults: string[];
/** What came to the application, in order. */
let heard: unknown[];

beforeEach(async () => {
  server = await openScriptedHub();
  faults = [];
  heard = [];
});
afterEach(async () => {
  hub.close();
  await server.close();
});

function open(auth: object | ((give: (said: object) => void) => void) = {}): void {
  hub = openHub<number>(server.url, 'chat', {
    transports: ['websocket'],
    reconnectionDelay: 10,
    forceNew: true,
    auth: auth as never,
    onError: (error) => faults.push((error as Error).message),
  });
}

function fail(what: string): never {
  throw new Error(what);
}

/** Joins a room whose handlers hear everything, and then fail where the test asks for it. */
function join(fails: (keyof RoomHandlers<number>)[], on: (body: number) => boolean = () => true) {
  return hub.join(
    'r',
    {
      onMessage: ({ body }) => {
        heard.push(body);
        if (fails.includes('onMessage') && on(body)) fail(`at ${body}`);
      },
      onLost: (lost) => {
        heard.push(lost);
        if (fails.includes('onLost')) fail('onLost');
      },
      onRefused: ({ code }) => {
        heard.push(code);
        if (fails.includes('onRefused')) fail('onRefused');
      },
    },
    { since: { epoch: 'E1', offset: 0 } },
  );
}

test('a message that its handler can not take costs no other one, replayed or live', async () => {
  open();
  server.onJoin = () => joined(3, { messages: [message(1), message(2), message(3)] });
  const room = join(['onMessage'], (body) => body === 2 || body === 5);
  await room.joined;
  for (const offset of [4, 5, 6]) server.emit('message', message(offset));
  await eventually('the last', () => heard.includes(6));
  expect(heard).toEqual([1, 2, 3, 4, 5, 6]);
  await eventually('the faults', () => faults.length === 2);
  expect(faults).toEqual(['at 2', 'at 5']);
  expect([room.position?.offset, server.joins.length]).toEqual([6, 1]);
});

test('what `onLost` and `onRefused` throw keeps no message back', async () => {
  open();
  server.onJoin = () => joined(5, { recovered: false, lost: { messages: 3 }, messages: [message(5)] });
  await join(['onLost', 'onRefused']).joined;
  server.emit('expelled', { room: 'r' });
  server.emit('message', message(6));
  await eventually('the last', () => heard.includes(6));
  expect(heard).toEqual([{ messages: 3 }, 5, 'forbidden', 6]);
  await eventually('the faults', () => faults.length === 2);
  expect(faults).toEqual(['onLost', 'onRefused']);
});

test('a watcher that throws keeps no room from being joined, and no other watcher from being notified', async () => {
  open();
  const states: string[] = [];
  hub.watch((state) => fail(state));
  hub.watch((state) => states.push(state));
  await join([]).joined;
  server.cut();
  await eventually('both connections', () => states.length === 3 && server.joins.length === 2);
  expect(states).toEqual(['connected', 'reconnecting', 'connected']);
  await eventually('the faults', () => faults.length === 3);
  expect(faults).toEqual(states);
});

test('a watcher that closes the hub is the last to hear of the state before', async () => {
  open();
  const states: string[] = [];
  hub.watch((state) => {
    if (state === 'connected') hub.close();
  });
  hub.watch((state) => states.push(state));
  await eventually('the end', () => states.includes('closed'));
  expect(states).toEqual(['closed']);
});

describe('listeners of the Socket.IO client below', () => {
  test('that throw keep it neither from connecting again nor from the rooms', async () => {
    open();
    server.refuse('unavailable', 1);
    for (const event of ['connect', 'disconnect', 'connect_error', 'message', 'welcome'] as const) {
      hub.socket.on(event, () => fail(event));
    }
    hub.socket.onAny((event) => fail(`any ${event}`));
    await join([]).joined;
    server.emit('message', message(1));
    await eventually('the message', () => heard.includes(1));
    const publishing = hub.join('other', { onMessage: () => undefined }).publish(1);
    server.cut();
    await eventually('another connection', () => server.sockets === 2 && hub.state === 'connected');
    await publishing;
    server.emit('message', message(1));
    server.emit('message', message(2));
    await eventually('the next message', () => heard.includes(2));
    expect(heard).toEqual([1, 2]);
    await eventually('the faults', () => faults.includes('any message'));
    expect(faults).toEqual(expect.arrayContaining(['connect', 'disconnect', 'connect_error']));
  });

  test('that an application takes off by the name of an event are its own alone', async () => {
    open();
    await join([]).joined;
    hub.socket.off('message');
    hub.socket.removeAllListeners('gap');
    server.emit('message', message(1));
    await eventually('the message', () => heard.includes(1));
    server.emit('gap', { room: 'r', epoch: 'E1', offset: 1 });
    await eventually('the second join', () => server.joins.length === 2);
  });
});

test('a handler may be async: what its promise is rejected with is reported too', async () => {
  open();
  hub.join('r', {
    onMessage: async ({ body }) => {
      heard.push(body);
      await Promise.resolve();
      fail(`after ${body}`);
    },
  });
  await eventually('the join', () => server.joins.length === 1);
  for (const offset of [1, 2]) server.emit('message', message(offset));
  await eventually('the faults', () => faults.length === 2);
  expect([heard, faults]).toEqual([
    [1, 2],
    ['after 1', 'after 2'],
  ]);
});

test.each([
  ['throws', () => fail('no token now')],
  ['is rejected', async () => fail('no token now')],
])('`auth` that %s is asked again', async (_what, failing) => {
  let asked = 0;
  open((give) => {
    asked += 1;
    if (asked < 3) return failing();
    give({ token: 't' });
  });
  await eventually('the connection', () => hub.state === 'connected');
  expect([asked, faults]).toEqual([3, ['no token now', 'no token now']]);
});

test('`auth` that answers late is not heard on a connection that it was not asked for', async () => {
  const given: (() => void)[] = [];
  open((give) => given.push(() => give({ asked: given.length })));
  let connects = 0;
  hub.watch((state) => {
    if (state === 'connected') connects += 1;
  });
  await eventually('the question', () => given.length === 1);
  hub.socket.io.engine.close();
  await eventually('the second question', () => given.length === 2);
  for (const give of given) give();
  await eventually('the connection', () => hub.state === 'connected');
  server.emit('message', message(1));
  await join([]).joined;
  expect([connects, server.sockets]).toEqual([1, 1]);
});

test('a room that its handler leaves in the middle of a page says nothing more', async () => {
  open();
  server.onJoin = () => joined(3, { messages: [message(1), message(2), message(3)] });
  hub.join(
    'r',
    {
      onMessage: ({ body }) => {
        heard.push(body);
        if (body === 2) hub.leave('r');
      },
    },
    { since: { epoch: 'E1', offset: 0 } },
  );
  await eventually('the leave', () => server.leaves.includes('r'));
  expect(heard).toEqual([1, 2]);
});

test('a join that is refused is reported though `onRefused` throws', async () => {
  open();
  server.onJoin = () => errorReply('forbidden');
  await expect(join(['onRefused']).joined).rejects.toMatchObject({ code: 'forbidden' });
  await eventually('the fault', () => faults.includes('onRefused'));
});

describe('without `onError`', () => {
  const notifierFile = new URL('../../../app/dist/library/client/connection/notify.js', import.meta.url).href;

  /** @returns what a thread of its own wrote and said, in which a callback throws */
  async function run(setup: string): Promise<{ stderr: string; said: unknown[] }> {
    const code = `
      const { parentPort } = require('node:worker_threads');
      const say = (words) => parentPort.postMessage(words);
      ${setup}
      import('${notifierFile}').then(({ Notifier }) => {
        new Notifier().notify(() => { throw new Error('a bug of the application'); });
        setTimeout(() => say('alive'), 50);
      });`;
    const worker = new Worker(code, { eval: true, stderr: true });
    const said: unknown[] = [];
    let stderr = '';
    worker.on('message', (words) => said.push(words));
    worker.stderr.on('data', (data) => {
      stderr += data;
    });
    await new Promise((resolve) => worker.once('exit', resolve));
    return { stderr, said };
  }

  test('Node is not ended by it: it stands on the console', async () => {
    const { stderr, said } = await run('');
    expect(stderr).toContain('a bug of the application');
    expect(said).toEqual(['alive']);
  });

  test('who listens to `uncaughtException` hears it', async () => {
    const { stderr, said } = await run("process.on('uncaughtException', ({ message }) => say(message));");
    expect([stderr, said.sort()]).toEqual(['', ['a bug of the application', 'alive']]);
  });

  test('`reportError` has it where there is one, as in a page', async () => {
    const { stderr, said } = await run('globalThis.reportError = ({ message }) => say(message);');
    expect([stderr, said]).toEqual(['', ['a bug of the application', 'alive']]);
  });
});

test.each([
  ['throws', () => fail('in onError')],
  ['is rejected with', async () => fail('in onError')],
])('what `onError` %s itself ends nothing', async (_how, onError) => {
  const seen: unknown[] = [];
  const spy = jest.spyOn(console, 'error').mockImplementation((error) => seen.push(error));
  const notifier = new Notifier(onError);
  notifier.notify(() => fail('in a callback'));
  await eventually('the report', () => seen.length > 0);
  spy.mockRestore();
  expect(seen).toEqual([new Error('in onError')]);
  open();
});

test('events of others that are called as those of the service are no concern of it', async () => {
  open();
  join([]);
  await eventually('the join', () => server.joins.length === 1);
  for (const event of ['message', 'gap', 'expelled', 'welcome', 'degraded', 'presence']) {
    for (const payload of [null, 'text', 7, [], {}, { room: 'r' }]) {
      if (event !== 'gap' && event !== 'expelled') server.emit(event, payload);
      else if (payload === null || typeof payload !== 'object') server.emit(event, payload);
    }
  }
  server.emit('message', message(1));
  await eventually('the message', () => heard.length > 0);
  expect([heard, faults, server.joins.length]).toEqual([[1], [], 1]);
});
