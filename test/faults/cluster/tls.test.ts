import { readFileSync } from 'node:fs';
import { Cluster } from 'ioredis';
import { openHub } from '../../../app/client/hub.ts';
import { roomKeys } from '../../../app/server/rooms/keys.ts';
import { ControlClient } from '../../../lib/local/control/client.ts';
import type { TopologyState } from '../../../lib/local/state.ts';
import { LocalCommand } from '../../lib/local/fixtures/local-command.ts';
import { Audience } from '../../support/clients/audience.ts';
import { Traffic } from '../../support/clients/traffic.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { historiesFrom } from '../../support/redis/room-history.ts';
import { stoppedAfterwards } from '../../support/stopping.ts';
import { eventually } from '../../support/wait.ts';
import { faultsIn, noFaults } from './stage.ts';

const keep = stoppedAfterwards();
const movedSlots = 2_000;
const shardSlots = 5461;

/**
 * The local topology, whose cluster speaks TLS alone and lets each user do what the stack lets it: clients publish while
 * slots move, a shard's replica takes over in order, and a primary is killed.
 */
describeInFull('faults', 'the local topology', () => {
  test('over TLS, with the permissions of the stack: moved, failed over and killed, and nothing is lost unsaid', async () => {
    const command = new LocalCommand(['--shards', '3', '--instances', '2', '--livekit', '0'], {
      AUTH: 'none',
    });
    await keep({
      stop: async () => {
        command.process.kill('SIGTERM');
        await command.ended();
      },
    });
    const state = await command.ready();
    const control = new ControlClient(state.control);
    const redis = clusterOf(state);
    await keep({ stop: async () => redis.disconnect() });
    const rooms = await roomsIn(redis, [
      [0, movedSlots],
      [0, movedSlots],
      [movedSlots, shardSlots],
      [shardSlots, 2 * shardSlots],
      [2 * shardSlots, 3 * shardSlots],
    ]);

    const audience = new Audience();
    const hubs = [...rooms, ...rooms].map((room) => {
      const hub = openHub<number>(state.url, 'chat', { transports: ['websocket'], forceNew: true });
      return { hub, room };
    });
    await keep({
      stop: async () => {
        for (const { hub } of hubs) hub.close();
      },
    });
    await Promise.all(hubs.map(({ hub, room }) => audience.join(hub, room)));
    const traffic = await keep(Traffic.start(audience));
    await traffic.reaches(30);

    await control.moveSlots(1, 2, movedSlots);
    await control.failOver(3);
    const killed = await control.killPrimary(2);
    await eventually('the replica to take over', async () => {
      const { primary, replicas } = (await control.state()).shards?.[1] ?? {};
      return primary !== undefined && primary !== killed.id && replicas?.includes(killed.id) === true;
    });
    await traffic.end();
    await audience.level();
    const audit = audience.audit(await historiesFrom(redis, rooms));
    expect(faultsIn(audit)).toEqual(noFaults);
    expect([audit.refused, audit.uncertain]).toEqual([0, 0]);
    expect(command.output).not.toContain('redis denied');
    expect(command.output).not.toContain('CROSSSLOT');
  });
});

function clusterOf({ redis: admin }: TopologyState): Cluster {
  const { url, caFile } = admin as NonNullable<typeof admin>;
  const { username, password, port } = new URL(url);
  const redisOptions = { username, password, tls: { ca: readFileSync(caFile) }, disableClientInfo: true };
  return new Cluster([{ host: 'localhost', port: Number(port) }], { redisOptions });
}

/** @returns for each of these ranges the name of a room whose slot is in it; no name twice */
async function roomsIn(
  redis: Cluster,
  ranges: readonly (readonly [first: number, behind: number])[],
): Promise<string[]> {
  const rooms: string[] = [];
  let number = 0;
  for (const [first, behind] of ranges) {
    for (let isIn = false; !isIn; ) {
      number += 1;
      const slot = await redis.cluster('KEYSLOT', roomKeys('realtime', 'chat', `room ${number}`).log);
      isIn = first <= slot && slot < behind;
    }
    rooms.push(`room ${number}`);
  }
  return rooms;
}
