import type { Socket } from 'socket.io-client';
import { Asker, counted } from '../../support/clients/asker.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { type ClusterServer, describeOnEach } from '../../support/redis/sharded-redis.ts';
import type { TestInstance } from '../../support/servers/service.ts';
import { stoppedAfterwards } from '../../support/stopping.ts';
import { eventually } from '../../support/wait.ts';
import { Stage } from './stage.ts';

/** They are in as many buckets, on all shards. */
const roomCount = 120;

/** An instance that dies with answers and people in rooms of all shards: each shard tells of its own, once. */
describeInFull('faults', 'owners', () => {
  describeOnEach('a cluster whose instance dies', (server: ClusterServer) => {
    const keep = stoppedAfterwards();
    const askers: Asker[] = [];
    const sockets: Socket[] = [];
    let stage: Stage;
    let doomed: TestInstance;
    let survivor: TestInstance;

    beforeAll(async () => {
      stage = await keep(Stage.open(server));
      [survivor, doomed] = stage.instances.instances as [TestInstance, TestInstance];
    });
    afterAll(() => {
      for (const client of [...askers, ...sockets]) client.close();
    });

    test('each of its answers is interrupted once, and everybody who was there has left once', async () => {
      const rooms = Array.from({ length: roomCount }, (_, index) => `owned ${index}`);
      const turns = await Promise.all(rooms.map(ask));
      const heard = await Promise.all(rooms.map(meet));
      await Promise.all(turns.map(({ reader, turn }) => begun(reader, turn)));

      await stage.instances.remove(doomed, 'SIGKILL');
      for (const { victim } of turns) victim.close();
      for (const { guest } of heard) guest.close();

      await eventually('all answers to end', () =>
        turns.every(({ reader, turn }) => reader.finalsOf(turn).length > 0),
      );
      await eventually('all to have left', () => heard.every(({ left }) => left.length > 0));
      // A second word would come with the next sweep.
      const [first] = await Promise.all([ask('afterwards')]);
      await begun(first.reader, first.turn);
      for (const { reader, turn } of turns) {
        expect(reader.finalsOf(turn).map(({ final }) => final)).toEqual(['interrupted']);
        expect(counted(5000).startsWith(reader.saidIn(turn))).toBe(true);
        expect(reader.losses).toEqual([]);
      }
      for (const { subject, left } of heard) expect(left).toEqual([subject]);
      await first.reader.cancel(first.turn).catch(() => undefined);
      for (const instance of stage.instances.instances) expect(instance.output()).not.toContain('CROSSSLOT');
    });

    /** An answer that the doomed instance makes, and that is read on the other one. */
    async function ask(room: string): Promise<{ victim: Asker; reader: Asker; turn: string }> {
      const isThere = stage.instances.instances.includes(doomed);
      const [victim, reader] = await Promise.all([
        Asker.join(isThere ? doomed.url : survivor.url, room),
        Asker.join(survivor.url, room),
      ]);
      askers.push(victim, reader);
      return { victim, reader, turn: await victim.ask('count to 5000') };
    }

    /** Somebody on the doomed instance, and who a client on the other one sees come and go. */
    async function meet(room: string): Promise<Meeting> {
      const hub = stage.instances.openHub(survivor.url);
      await hub.join(room, { onMessage: () => undefined }).joined;
      const left: string[] = [];
      const list = hub.presence(room, (_members, difference) => left.push(...difference.left));
      await eventually('the watcher to see itself', () => list.members.length === 1);
      const [own] = list.members;
      const guest = await join(doomed, room);
      const others = () => list.members.filter((subject) => subject !== own);
      await eventually('the guest to be seen', () => others().length === 1);
      return { guest, subject: others()[0] as string, left };
    }

    async function join(instance: TestInstance, room: string): Promise<Socket> {
      const socket = stage.instances.connect(instance);
      sockets.push(socket);
      await eventually('the connection', () => socket.connected);
      await socket.emitWithAck('join', { room });
      return socket;
    }
  });
});

interface Meeting {
  readonly guest: Socket;
  /** Who the guest is. */
  readonly subject: string;
  /** Who left, in order. */
  readonly left: readonly string[];
}

async function begun(reader: Asker, turn: string): Promise<void> {
  await eventually('the answer to begin', () => reader.tokensOf(turn).length > 3);
}
