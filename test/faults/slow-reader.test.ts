import { readdirSync, readlinkSync } from 'node:fs';
import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io-client';
import { startRedis } from '../support/redis.ts';
import { Scene } from '../support/scene.ts';
import type { TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
const messages = 260;
const body = 'x'.repeat(62_000);

/**
 * Four clients stop reading while 16 MB are published in their room. The instance ends their connections
 * while they still stand there, and so keeps no more than its bound for each. Six who read have all 261
 * messages, once and in order, and are told nothing. The four read on, come back by themselves and join: what
 * each delivers and what it is told to have lost are the 261 together, once and in order.
 */
test('clients that stop reading: they alone are dropped, and what they miss is told', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url, instances: 1, rooms: 1, members: 6 }));
  const { cluster, audience } = scene;
  const [instance] = cluster.instances as [TestInstance];
  const fast = [...audience.members];
  // Straight to the instance: a forwarder would read for them.
  const slow = await Promise.all(
    Array.from({ length: 4 }, () => audience.join(cluster.openHub(instance.url), 'room 1')),
  );
  const publisher = cluster.connect(instance);
  await eventually('the publisher to connect', () => publisher.connected);

  const connections = connectionsOf(instance);
  const wires = slow.map(({ hub }) => wireOf(hub.socket));
  for (const wire of wires) wire.pause();
  for (let n = 0; n < messages; n += 1) {
    const answer = await publisher.emitWithAck('publish', { room: 'room 1', body });
    expect(answer.ok).toBe(true);
  }
  if (connections) {
    await eventually('their connections to be ended', () => connectionsOf(instance) === connections - 4);
  }
  for (const wire of wires) wire.resume();

  const report = await scene.settle(redis.port);
  expect(report.client).toMatchObject({
    lostUnsaid: 0,
    goneUnsaid: 0,
    duplicated: 0,
    outOfOrder: 0,
    told: 4,
  });
  const all = Array.from({ length: messages + 1 }, (_, index) => index + 1);
  for (const { witness } of fast) expect(witness.messages.map(({ offset }) => offset)).toEqual(all);
  for (const { witness } of slow) {
    const [lost] = witness.losses;
    expect(lost?.messages).toBeGreaterThan(0);
    expect(witness.messages.length + (lost?.messages as number)).toBe(messages + 1);
  }
});

/** The TCP connection under a Socket.IO client. */
function wireOf(socket: Socket | { readonly io: Socket['io'] }): TcpSocket {
  return (socket.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket;
}

/** How many sockets a process has open; Linux alone tells. */
function connectionsOf({ process: { pid } }: TestInstance): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((descriptor) => isSocket(`${folder}/${descriptor}`)).length;
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:');
  } catch {
    return false;
  }
}
