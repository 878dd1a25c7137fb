import { type HubConnection, Subject } from '@microsoft/signalr';
import type { Redis } from 'ioredis';
import { type CookielessProxy, openCookielessProxy } from '../../../support/network/cookieless-proxy.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';
import { isFull, messageOf, sendRaw } from './fleet.ts';
import { type HubInstance, startHere, startProcess } from './hub-instances.ts';
import { clientOf, type Instance, startHubInstance, type transports } from './test-hub.ts';

/** The protocol's server with a hub of all kinds of methods; its instances are processes in `npm run test:signalr`. */

let server: TestRedis;
let redis: Redis;
let instances: HubInstance[];
let proxy: CookielessProxy;
const clients: HubConnection[] = [];
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.port);
  instances = await Promise.all(
    ['one', 'two', 'three'].map((name) => (isFull ? startProcess(name, server) : startHere(name, redis))),
  );
  // In turn, so that hardly a request reaches the instance of the one before.
  let next = 0;
  proxy = await openCookielessProxy(
    instances.map(({ url }) => url),
    (count) => next++ % count,
  );
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
  for (const stop of stops.splice(0)) await stop();
});

afterAll(async () => {
  await proxy.close();
  await Promise.all(instances.map((instance) => instance.stop()));
  redis.disconnect();
  await server.stop();
});

type TransportName = keyof typeof transports;
type Row = readonly [TransportName, 'json' | 'messagepack'];
/** Each transport and each encoding once; the service's own tests try other pairs. */
const some: readonly Row[] = [
  ['webSockets', 'messagepack'],
  ['serverSentEvents', 'json'],
  ['longPolling', 'json'],
];
const others: readonly Row[] = [
  ['webSockets', 'json'],
  ['longPolling', 'messagepack'],
];
const rows = isFull ? [...some, ...others] : some;

function client(
  ...[transport, protocol, options]: Parameters<typeof clientOf> extends [string, ...infer R] ? R : never
) {
  const made = clientOf(proxy.url, transport, protocol, options);
  clients.push(made);
  return made;
}

function itemsOf(connection: HubConnection, target: string, ...args: unknown[]): Promise<unknown[]> {
  const items: unknown[] = [];
  return new Promise((resolve, reject) => {
    connection.stream(target, ...args).subscribe({
      next: (item) => items.push(item),
      complete: () => resolve(items),
      error: reject,
    });
  });
}

describe.each(rows)('%s with %s, behind a proxy without cookies', (transport, protocol) => {
  let connection: HubConnection;
  beforeEach(async () => {
    connection = client(transport, protocol);
    await connection.start();
  });

  test('calls are answered, in order, and errors are in the words that clients know', async () => {
    for (const value of [1, 'ä\r\n"\u001e😀', [1, { a: null }], true, '', 'x'.repeat(60_000)]) {
      expect(await connection.invoke('Echo', value)).toEqual(value);
    }
    expect(await connection.invoke('ADD', 2, 3)).toBe(5);
    expect((await connection.invoke('nothing')) ?? null).toBeNull();
    expect(await connection.invoke('whoami')).toEqual(['ada', connection.connectionId]);
    const many = Array.from({ length: 200 }, (_value, index) => index);
    expect(await Promise.all(many.map((index) => connection.invoke('echo', index)))).toEqual(many);
    expect(await messageOf(connection.invoke('nope'))).toBe("Unknown hub method 'nope'");
    expect(await messageOf(connection.invoke('fail'))).toBe(
      "Failed to invoke 'fail' due to an error on the server.",
    );
    expect(await messageOf(connection.invoke('refuse'))).toBe(
      "An unexpected error occurred invoking 'refuse' on the server. HubException: not now",
    );
    expect(await messageOf(connection.invoke('forbidden'))).toBe(
      "Failed to invoke 'forbidden' because user is unauthorized",
    );
    expect(await messageOf(connection.invoke('count', 1))).toBe(
      "The client attempted to invoke the streaming 'count' method with a non-streaming invocation.",
    );
    expect(await messageOf(itemsOf(connection, 'echo', 1))).toBe(
      "The client attempted to invoke the non-streaming 'echo' method with a streaming invocation.",
    );
  });

  test('a thousand messages arrive once and in order', async () => {
    const heard: number[] = [];
    connection.on('Message', (index: number) => heard.push(index));
    await connection.invoke('burst', 1_000);
    await eventually('all of them', () => heard.length >= 1_000);
    expect(heard).toEqual(Array.from({ length: 1_000 }, (_value, index) => index));
  });

  test('streams come whole, end with their error, and stop when they are not wanted', async () => {
    expect(await itemsOf(connection, 'count', 20)).toEqual(
      Array.from({ length: 20 }, (_value, index) => index),
    );
    expect(await messageOf(itemsOf(connection, 'broken'))).toBe(
      'An error occurred on the server while streaming results. HubException: broken',
    );
    const abortedBefore = await aborted();
    let items = 0;
    const stream = connection.stream('endless').subscribe({
      next: () => {
        items += 1;
      },
      complete: () => undefined,
      error: () => undefined,
    });
    await eventually('some items', () => items > 3);
    stream.dispose();
    await eventually('the method to be told', async () => (await aborted()) === abortedBefore + 1);
  });

  test('streams are taken, and sent back', async () => {
    const numbers = new Subject<number>();
    const sum = connection.invoke('sum', numbers);
    for (let number = 1; number <= 50; number += 1) numbers.next(number);
    numbers.complete();
    expect(await sum).toBe(1_275);
    const words = new Subject<string>();
    const back = itemsOf(connection, 'repeat', words);
    for (const word of ['a', 'b', 'c']) words.next(word);
    words.complete();
    expect(await back).toEqual(['a', 'b', 'c']);
  });

  test('the client is asked, and need not answer', async () => {
    connection.on('double', (number: number) => number * 2);
    expect(await connection.invoke('ask', 'double')).toBe(42);
    connection.on('throws', () => {
      throw new Error('mine');
    });
    expect(await messageOf(connection.invoke('ask', 'throws'))).toContain('mine');
    connection.on('silent', () => new Promise(() => undefined));
    expect(await messageOf(connection.invoke('ask', 'silent'))).toContain('did not answer');
  });

  test('a client whose connection is ended with leave to come back does', async () => {
    const before = connection.connectionId;
    const back = new Promise((resolve) => connection.onreconnected(resolve));
    await Promise.all(instances.map((instance) => instance.closeAll()));
    expect(await back).not.toBe(before);
    expect(await connection.invoke('add', 1, 1)).toBe(2);
  });

  test('what is no message ends the connection, and says so', async () => {
    const closed = new Promise<string>((resolve) =>
      connection.onclose((error) => resolve(String(error?.message))),
    );
    const raw =
      protocol === 'json'
        ? '{"type":1,"target":5,"arguments":[]}\x1e'
        : new Uint8Array([2, 0xa1, 0x61]).buffer;
    await sendRaw(connection, raw);
    expect(await closed).toBe('Server returned an error on close: Connection closed with an error.');
  });
});

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
const aborted = async () => sumOf(await Promise.all(instances.map((instance) => instance.aborted())));

test('requests went from instance to instance', async () => {
  expect(sumOf(await Promise.all(instances.map((instance) => instance.relayed())))).toBeGreaterThan(100);
});

test.each<TransportName>(['webSockets', 'serverSentEvents', 'longPolling'])(
  'when the instance of a client by %s ends, it comes back on another one',
  async (transport) => {
    const [first, second, third] = (await Promise.all(
      ['a', 'b', 'c'].map((name) => startHubInstance(`${transport}-${name}`, redis)),
    )) as [Instance, Instance, Instance];
    const own = await openCookielessProxy([first.url, second.url, third.url]);
    const connection = clientOf(own.url, transport);
    await connection.start();
    const home = await connection.invoke('where');
    const back = new Promise((resolve) => connection.onreconnected(resolve));
    const gone = [first, second, third].find(({ name }) => name === home) as Instance;
    own.targets = own.targets.filter((url) => url !== gone.url);
    await gone.stop();
    await back;
    expect(await connection.invoke('where')).not.toBe(home);
    await connection.stop();
    await own.close();
    for (const each of [first, second, third]) await each.stop();
  },
);

test.each<TransportName>(['webSockets', 'serverSentEvents', 'longPolling'])(
  'an instance that takes no new clients goes on answering negotiations, and others take them, by %s',
  async (transport) => {
    const [one, two] = (await Promise.all(
      ['leaving', 'staying'].map((name) => startHubInstance(`${transport}-${name}`, redis)),
    )) as [Instance, Instance];
    one.elsewhere = two.name;
    const connection = clientOf(one.url, transport);
    await connection.start();
    expect(await connection.invoke('where')).toBe(two.name);
    await connection.stop();
    for (const each of [one, two]) await each.stop();
  },
);

test.each<TransportName>(['webSockets', 'serverSentEvents', 'longPolling'])(
  'when an instance leaves through which a client by %s is served, what it has called is answered, and it goes on',
  async (transport) => {
    const [home, entry] = (await Promise.all(
      ['home', 'entry'].map((name) => startHubInstance(`${transport}-${name}`, redis)),
    )) as [Instance, Instance];
    // An instance that takes no clients relays WebSockets, too.
    if (transport === 'webSockets') entry.elsewhere = home.name;
    // It negotiates at its home, and all else goes through the other one.
    let requests = 0;
    const own = await openCookielessProxy([home.url, entry.url], () => (requests++ === 0 ? 0 : 1));
    stops.push(...[own.close, home.stop, entry.stop]);
    const connection = clientOf(own.url, transport);
    clients.push(connection);
    let comebacks = 0;
    connection.onreconnected(() => {
      comebacks += 1;
    });
    await connection.start();
    connection.on('leave', async () => {
      // A client that polls polls again.
      await eventually('something to be relayed', () => entry.relay.count > 0);
      own.targets = [home.url];
      for (const exchange of [...entry.relay]) exchange.close();
      return 'gone';
    });
    expect(await connection.invoke('ask', 'leave')).toBe('gone');
    await eventually('nothing to be relayed', () => entry.relay.count === 0);
    // A poll ends, and the next one goes another way; all else is opened anew.
    const anew = transport === 'longPolling' ? 0 : 1;
    await eventually('it to be back', () => comebacks === anew && connection.state === 'Connected');
    expect(await connection.invoke('where')).toBe(home.name);
    expect(comebacks).toBe(anew);
  },
);
