import { Emitter } from '@socket.io/redis-emitter';
import { Redis } from 'ioredis';
import oldEmitter from 'socket.io-emitter';
import { environmentNames as names } from '../../../../app/names.ts';
import { eventually } from '../../../support/wait.ts';
import { BridgedService } from './bridged-service.ts';

let service: BridgedService;
let connection: Redis;
beforeAll(async () => {
  service = await BridgedService.start({ [names.emitter]: '/=emit,/bots=publish,/chat=emit' });
  connection = new Redis({ port: service.redis.port });
});
afterEach(() => service.leave());
afterAll(async () => {
  connection.disconnect();
  await service.stop();
});

/** The old one takes whatever has `publish`; its own Redis client is of another time. */
const emitters = {
  '@socket.io/redis-emitter': () => new Emitter(connection),
  'socket.io-emitter': () => oldEmitter(connection as never),
};

describe.each(Object.entries(emitters))('%s', (name, open) => {
  test('to a room, to several, to all, and with binary: each member once, on all instances', async () => {
    const emitter = open();
    const [ada, bob, eve] = [
      await service.connectTo('demo', 0),
      await service.connectTo('demo', 1),
      await service.connectTo('other', 1),
    ];
    await bob.socket.emitWithAck('join', { room: 'other' });
    emitter.to('demo').emit('price', { s: 'BTC', p: 1 }, 'two', null);
    emitter.to('demo').to('other').emit('both', [1, 2]);
    emitter.emit('all', Buffer.from([0, 255]));
    const all = ['all', Buffer.from([0, 255])];
    await eventually('all', () => [ada, bob, eve].every(({ heard }) => heard.at(-1)?.[0] === 'all'));
    const price = ['price', { s: 'BTC', p: 1 }, 'two', null];
    expect(ada.heard).toEqual([price, ['both', [1, 2]], all]);
    expect(bob.heard).toEqual([price, ['both', [1, 2]], all]);
    expect(eve.heard).toEqual([['both', [1, 2]], all]);
  });

  test('into the log of a room: once, in order, for who comes later too', async () => {
    const bots = open().of('/bots');
    for (let n = 1; n <= 20; n += 1) bots.to(`btc-${name}`).emit('price', n);
    const late = service.connect(1, '/bots');
    let bodies: unknown[] = [];
    await eventually('the log to have them', async () => {
      bodies = await late.bodiesIn(`btc-${name}`);
      return bodies.length >= 20;
    });
    expect(bodies).toEqual(Array.from({ length: 20 }, (_, n) => ({ event: 'price', args: [n + 1] })));
  });
});

test('one connection, by its id, and rooms that are left out', async () => {
  const emitter = new Emitter(connection);
  const [ada, bob] = [await service.connectTo('demo', 0), await service.connectTo('demo', 1)];
  emitter.to(ada.socket.id as string).emit('you', 1);
  emitter.except(ada.socket.id as string).emit('others', 2);
  emitter.emit('end');
  await eventually('the end', () => [ada, bob].every(({ heard }) => heard.at(-1)?.[0] === 'end'));
  expect([ada.heard, bob.heard]).toEqual([
    [['you', 1], ['end']],
    [['others', 2], ['end']],
  ]);
});

test('it has members join and leave, and disconnects them', async () => {
  const emitter = new Emitter(connection);
  const ada = service.connect(1);
  await eventually('it to be connected', () => ada.socket.connected);
  const id = ada.socket.id as string;
  emitter.in(id).socketsJoin(['one', 'two']);
  await eventually('it to be in the room', () => {
    emitter.to('two').emit('in');
    return ada.heard.length > 0;
  });
  emitter.in('one').socketsLeave('two');
  await eventually('it to be out of the room', async () => {
    ada.heard.length = 0;
    emitter.to('two').emit('in');
    emitter.to('one').emit('end');
    await eventually('the end', () => ada.heard.at(-1)?.[0] === 'end');
    return ada.heard.length === 1;
  });
  const gone = new Promise((resolve) => ada.socket.once('disconnect', resolve));
  emitter.in('one').disconnectSockets();
  expect(await gone).toBe('io server disconnect');
});

test('what no emitter says is left out, with lines that say why, and costs little', async () => {
  const ada = await service.connectTo('demo', 0);
  const channel = 'socket.io#/#';
  const nested = Buffer.concat([
    ...Array<Buffer>(180_000).fill(Buffer.from([0xdd, 0x00, 0x0f, 0x42, 0x40])),
    Buffer.from([0xc0]),
  ]);
  const hostile = [
    Buffer.alloc(0),
    Buffer.from('x'),
    Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0x93, 0xa7]),
    Buffer.from([0xc1]),
    nested,
    Buffer.alloc(300_000, 0x91),
    Buffer.alloc(10_000_000, 0x90),
    // An emit of `connect`, which clients would take for their own.
    Buffer.concat([
      Buffer.from([0x93, 0xa0, 0x82, 0xa4]),
      Buffer.from('type'),
      Buffer.from([0x02, 0xa4]),
      Buffer.from('data'),
      Buffer.from([0x91, 0xa7]),
      Buffer.from('connect'),
      Buffer.from([0x80]),
    ]),
  ];
  for (const payload of hostile) await service.admin.publish(channel, payload);
  for (const text of ['', '{', '[]', '{"type":2}', '{"type":2,"opts":{},"rooms":7}', '[['.repeat(50_000)]) {
    await service.admin.publish('socket.io-request#/#', text);
  }
  new Emitter(connection).to('demo').emit('still');
  await eventually('the honest one', () => ada.heard.length > 0);
  expect(ada.heard).toEqual([['still']]);
  expect(service.output()).toContain('ignored what a bridge can not read');
  expect(service.output()).toContain('it promises more than it has');
  expect(service.output()).toContain('10000000 bytes; at most 1000000 are read');
  expect(service.output()).not.toMatch(/uncaught|unhandled/i);
});
