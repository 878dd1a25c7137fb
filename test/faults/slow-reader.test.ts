import { readdirSync, readlinkSync } from 'node:fs';
import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io-client';
import { Scene } from '../support/clients/scene.ts';
import { describeInFull } from '../support/full-runs.ts';
import { startRedis } from '../support/redis/redis.ts';
import type { TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
/** A user may publish 8 MB at once, and an address 16 MB. */
const publishers = 3;
const messages = 240;
const body = 'x'.repeat(62_000);

describeInFull('faults', 'slow readers', () => {
  /**
   * Four clients stop reading while 15 MB are published in their room. The instance ends their connections, so it buffers
   * no more than its bound for each. The six others get all 241 messages once and in order. The four come back by
   * themselves: what each of them delivers and what it reports as lost are the 241 messages together.
   */
  test('clients that stop reading: they alone are dropped, and what they miss is reported', async () => {
    const redis = await keep(startRedis());
    const scene = await keep(Scene.open({ redis: redis.url, instances: 1, rooms: 1, members: 6 }));
    const { cluster, audience } = scene;
    const [instance] = cluster.instances as [TestInstance];
    const fast = [...audience.members];
    // Straight to the instance: a forwarder would read for them.
    const slow = await Promise.all(
      Array.from({ length: 4 }, () => audience.join(cluster.openHub(instance.url), 'room 1')),
    );
    const senders = Array.from({ length: publishers }, () => cluster.connect(instance));
    await eventually('the publishers to connect', () => senders.every(({ connected }) => connected));

    const connections = connectionsOf(instance);
    const wires = slow.map(({ hub }) => wireOf(hub.socket));
    for (const wire of wires) wire.pause();
    for (let n = 0; n < messages; n += 1) {
      const sender = senders[n % publishers] as Socket;
      expect(await sender.emitWithAck('publish', { room: 'room 1', body })).toMatchObject({ ok: true });
    }
    if (connections) {
      await eventually('their connections to be ended', () => connectionsOf(instance) === connections - 4);
    }
    for (const wire of wires) wire.resume();

    const report = await scene.finish(redis.port);
    expect(report.client).toMatchObject({
      lostUnsaid: 0,
      goneUnsaid: 0,
      duplicated: 0,
      outOfOrder: 0,
      notified: 4,
    });
    const all = Array.from({ length: messages + 1 }, (_, index) => index + 1);
    for (const { receiver } of fast) expect(receiver.messages.map(({ offset }) => offset)).toEqual(all);
    for (const { receiver } of slow) {
      const [lost] = receiver.losses;
      expect(lost?.messages).toBeGreaterThan(0);
      expect(receiver.messages.length + (lost?.messages as number)).toBe(messages + 1);
    }
  });
});

/** The TCP connection under a Socket.IO client. */
function wireOf(socket: Socket | { readonly io: Socket['io'] }): TcpSocket {
  return (socket.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket;
}

/** How many sockets a process has open; only Linux says. */
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
