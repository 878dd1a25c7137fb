import { setTimeout as delay } from 'node:timers/promises';
import { availableRedis } from '../../../../app/server/redis/access.ts';
import { type Backplane, openBackplane } from '../../../../app/server/redis/backplane.ts';
import { openRedisStore } from '../../../../app/server/rooms/store/store.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { eventually } from '../../../support/wait.ts';
import { RawSocket } from '../hostile/raw.ts';

/**
 * A process that was stopped, as by SIGSTOP or with its virtual machine, finds what its clients sent before: they have
 * sent that again to others since, and behind the window of ids it would be another message.
 */

let redis: TestRedis;
let backplane: Backplane;
let server: RoomsServer;
beforeAll(async () => {
  redis = await startRedis();
  backplane = await openBackplane({
    sources: { url: redis.url },
    deployment: 'stall',
    instance: 'one',
    log: silent,
  });
  const { links } = backplane;
  if (!links) throw new Error('no links');
  await eventually('the backplane to be joined', () => backplane.status === 'joined');
  const retention = { idWindowMs: 3_000 };
  server = await startRoomsServer({ store: openRedisStore({ links, deployment: 'stall', retention }) });
});
afterAll(async () => {
  await server.close();
  await backplane.close();
  await redis.stop();
});

/** Nothing of this process runs meanwhile, and no clock of its own is stopped: as after a SIGSTOP. */
function stop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const packet = (id: number) => `42/chat,${id}["publish",{"room":"r","id":"same","body":${id}}]`;
const replyTo = (id: number) => (frame: string) => frame.startsWith(`43/chat,${id}[`);

test('a publish that waited for longer than its id is known is not published once more', async () => {
  const raw = await RawSocket.open(server);
  raw.send(packet(1));
  expect(await raw.until(replyTo(1))).toContain('"offset":1');
  // In the kernel's hands before this process stops.
  raw.send(packet(2));
  stop(4_000);
  await eventually('an end, or an answer', () => !raw.isOpen || raw.frames.some(replyTo(2)));
  expect(raw.frames.filter(replyTo(2)).join()).not.toContain('"ok":true');
  // Who comes now is served as ever.
  const other = await RawSocket.open(server);
  await eventually('a publish to go through', async () => {
    const ended = await server.rooms.publish('r', 'another').catch(() => undefined);
    return ended?.offset === 2;
  });
  raw.close();
  other.close();
});

test('a publish that waited in a Redis that stood still is not published once more either', async () => {
  await eventually('beats', () => availableRedis(backplane.links, '') !== undefined);
  const raw = await RawSocket.open(server);
  const again = (id: number) => packet(id).replace('"r"', '"q"');
  raw.send(again(1));
  expect(await raw.until(replyTo(1))).toContain('"offset":1');
  redis.process.kill('SIGSTOP');
  // Before a beat is missed.
  raw.send(again(2));
  await delay(4_000);
  redis.process.kill('SIGCONT');
  expect(await raw.until(replyTo(2))).toContain('"uncertain"');
  await eventually('a publish to go through', async () => {
    const ended = await server.rooms.publish('q', 'another').catch(() => undefined);
    return ended?.offset === 2;
  });
  raw.close();
});

test('after 6 s without a beat nothing is written until one has gone round', async () => {
  const available = () => availableRedis(backplane.links, '') !== undefined;
  await eventually('beats', available);
  stop(6_000);
  expect(available()).toBe(false);
  await expect(server.rooms.publish('r', 'at once')).rejects.toThrow('nothing was written');
  await eventually('beats again', available);
  expect(backplane.status).toBe('joined');
});
