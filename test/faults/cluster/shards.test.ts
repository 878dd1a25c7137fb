import type { Socket } from 'socket.io-client';
import { lastMigration, startAtomic } from '../../../lib/local/redis/slot-migration.ts';
import { nothingLost } from '../../support/clients/scene.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { type ClusterServer, describeOnEach, describeOnFirst } from '../../support/redis/sharded-redis.ts';
import { scaled } from '../../support/scale.ts';
import { readiness } from '../../support/servers/service.ts';
import { stoppedAfterwards } from '../../support/stopping.ts';
import { eventually } from '../../support/wait.ts';
import { faultsIn, members, noFaults, type Scenario, Stage } from './stage.ts';

/**
 * What happens to the shards of a cluster under load. After each fault every publish is acknowledged and stands in its
 * log once, or its sender was notified; each client has every message once and in order, or was notified of a loss at
 * that place.
 */
describeOnEach(
  'a cluster',
  (server: ClusterServer) => {
    const keep = stoppedAfterwards();
    let stage: Stage;
    beforeAll(async () => {
      stage = await keep(Stage.open(server));
    });

    const heldMs = scaled(1_000, 4_000);

    describeOnFirst(server, 'what every server can', () => {
      test('slots that are moved one by one: rooms go with them, and nobody notices', async () => {
        const scenario = await stage.begin();
        const slots = await stage.redis.slotsOf(scenario.roomsOf(1));
        await stage.redis.move(1, 2, slots);
        await stage.redis.move(2, 1, slots);
        await nothingIsLost(scenario, [1]);
      });

      test('a primary is killed whose replica is behind: all members of its rooms are notified', async () => {
        const scenario = await stage.begin();
        await stage.redis.failOverLossily(1, () => written(scenario, 1));
        const { audit } = await scenario.end([1]);
        expect(faultsIn(audit)).toEqual(noFaults);
        expect(audit.dropped).toBeGreaterThan(0);
        for (const room of scenario.roomsOf(1)) {
          const receivers = scenario.scene.audience.receivers.filter((receiver) => receiver.room === room);
          expect(receivers.map(({ losses }) => losses.length > 0)).toEqual(receivers.map(() => true));
        }
        const elsewhere = scenario.scene.audience.receivers.filter(
          ({ room }) => !scenario.roomsOf(1).includes(room),
        );
        expect(elsewhere.flatMap(({ losses }) => losses)).toEqual([]);
      });
    });

    if (server.isAtomic)
      describe('what Valkey 9 can', () => {
        test('slots that the server moves all at once', async () => {
          const scenario = await stage.begin();
          const slots = await stage.redis.slotsOf(scenario.roomsOf(1));
          await stage.redis.moveAtOnce(1, 3, slots);
          await nothingIsLost(scenario, [1]);
        });

        test('the target of a migration dies: it is given up, and nothing is lost', async () => {
          const scenario = await stage.begin();
          const slots = await stage.redis.slotsOf(scenario.roomsOf(2));
          const [source, target] = await Promise.all([stage.redis.primaryOf(2), stage.redis.primaryOf(3)]);
          target.process.signal('SIGSTOP');
          const starting = startAtomic(source, target, slots).catch(() => undefined);
          await scenario.lasts(100);
          await stage.redis.kill(target);
          await starting;
          await eventually('the migration to be given up', async () =>
            ['failed', 'cancelled', 'success', undefined].includes((await lastMigration(source)).state),
          );
          await stage.redis.revive(target);
          const { audit } = await scenario.end([2, 3]);
          expect(faultsIn(audit)).toEqual(noFaults);
        });
      });

    describeInFull('faults', 'and more', () => {
      test('a slot that is held half-way: publishes with ids and without arrive', async () => {
        const scenario = await stage.begin();
        const [room] = scenario.roomsOf(2) as [string];
        const plain = await connected();
        const migration = await stage.redis.migrationOf(room, 3);
        const answers: string[] = [];
        const publish = async () => answers.push(await publishOnce(plain, room));
        await migration.open();
        await publish();
        await scenario.lasts(heldMs);
        await migration.moveKeys();
        await publish();
        await scenario.lasts(heldMs);
        await publish();
        await migration.close();
        await publish();
        plain.close();
        const { audit } = await scenario.end([2]);
        expect(faultsIn(audit)).toEqual(noFaults);
        expect([audit.refused, audit.uncertain, audit.client.notified]).toEqual([0, 0, 0]);
        expect(answers.at(-1)).toBe('ok');
        // Without a retry one may be refused that met keys on both sides for two seconds.
        expect(['ok', 'refused']).toEqual(expect.arrayContaining(answers));
      });

      test('a failover in order: nothing is lost', async () => {
        const scenario = await stage.begin();
        await stage.redis.failOver(2);
        await nothingIsLost(scenario, [2]);
      });

      test('a primary is killed: its rooms wait for its replica, others go on', async () => {
        const scenario = await stage.begin();
        const [primary, replica] = [await stage.redis.primaryOf(1), await stage.redis.replicaOf(1)];
        await stage.redis.kill(primary);
        await stage.redis.untilPrimary(replica);
        await stage.redis.revive(primary);
        const { audit } = await scenario.end([1]);
        expect(faultsIn(audit)).toEqual(noFaults);
        expect([audit.refused, audit.uncertain]).toEqual([0, 0]);
        const { here, elsewhere } = scenario.degradedOn(1);
        for (const heard of here) expect([heard[0], heard.at(-1)]).toEqual([true, false]);
        expect(elsewhere.flat()).toEqual([]);
      });

      test('rooms that went from A to B, where writes were lost, and back to A', async () => {
        const scenario = await stage.begin();
        const slots = await stage.redis.slotsOf(scenario.roomsOf(1));
        await stage.redis.move(1, 2, slots);
        await stage.redis.failOverLossily(2, () => written(scenario, 1));
        await stage.redis.move(2, 1, slots);
        const { audit } = await scenario.end([1, 2]);
        expect(faultsIn(audit)).toEqual(noFaults);
        expect(audit.dropped).toBeGreaterThan(0);
      });

      test('two of three primaries die: all is refused, and goes on when their replicas were made primaries', async () => {
        const scenario = await stage.begin();
        const plain = await connected();
        const doomed = await Promise.all([2, 3].map((shard) => stage.redis.primaryOf(shard)));
        const replicas = await Promise.all([2, 3].map((shard) => stage.redis.replicaOf(shard)));
        await Promise.all(doomed.map((node) => stage.redis.kill(node)));
        const rooms = [1, 2, 3].map((shard) => scenario.roomsOf(shard)[0] as string);
        await eventually('publishes in all shards to be refused', async () => {
          const answers = await Promise.all(rooms.map((room) => publishOnce(plain, room)));
          return answers.every((answer) => answer === 'refused');
        });
        await scenario.lasts(heldMs);
        await Promise.all(replicas.map((node) => node.call('CLUSTER', 'FAILOVER', 'TAKEOVER')));
        await Promise.all(replicas.map((node) => stage.redis.untilPrimary(node)));
        await Promise.all(doomed.map((node) => stage.redis.revive(node)));
        plain.close();
        const { audit } = await scenario.end([1, 2, 3]);
        expect(faultsIn(audit)).toEqual(noFaults);
      });

      test('the shard of what there is once is away: rooms of the others go on', async () => {
        const scenario = await stage.begin();
        const home = await stage.redis.shardOf('{home}');
        const nodes = stage.redis.cluster.nodesOf(home);
        for (const node of nodes) node.process.signal('SIGSTOP');
        await scenario.lasts(2 * stage.redis.cluster.nodeTimeoutMs);
        const others = [1, 2, 3]
          .filter((shard) => shard !== home)
          .flatMap((shard) => scenario.roomsOf(shard));
        const before = scenario.scene.audience.acknowledged;
        await eventually(
          'publishes in other rooms',
          () => scenario.scene.audience.acknowledged > before + 10,
        );
        const late = stage.instances.openHub();
        await late.join(others[0] as string, { onMessage: () => undefined }).joined;
        late.close();
        for (const instance of stage.instances.instances)
          expect(await readiness(instance)).toEqual({ code: 200, status: 'degraded' });
        for (const node of nodes) node.process.signal('SIGCONT');
        const { audit } = await scenario.end([home]);
        expect(faultsIn(audit)).toEqual(noFaults);
      });

      test('an instance that stood still while slots moved goes by an old map, and is put right', async () => {
        const scenario = await stage.begin();
        const [instance] = stage.instances.instances;
        instance?.process.kill('SIGSTOP');
        const slots = await stage.redis.slotsOf(scenario.roomsOf(3));
        await stage.redis.move(3, 1, slots);
        await scenario.lasts(heldMs);
        instance?.process.kill('SIGCONT');
        await nothingIsLost(scenario, [3]);
        await stage.redis.move(1, 3, slots);
      });

      test('a slot is half-way when its target dies: the move goes on to its replica', async () => {
        const scenario = await stage.begin();
        const [room] = scenario.roomsOf(2) as [string];
        const [target, replica] = [await stage.redis.primaryOf(3), await stage.redis.replicaOf(3)];
        const migration = await stage.redis.migrationOf(room, 3);
        await migration.open();
        await migration.moveKeys();
        await stage.redis.kill(target);
        await stage.redis.untilPrimary(replica);
        await stage.redis.revive(target);
        await stage.redis.move(2, 3, await stage.redis.slotsOf([room]));
        const { audit } = await scenario.end([2, 3]);
        expect(faultsIn(audit)).toEqual(noFaults);
      });

      test('a primary stalls, is replaced, and comes back as if nothing had happened', async () => {
        const scenario = await stage.begin();
        const [primary, replica] = [await stage.redis.primaryOf(3), await stage.redis.replicaOf(3)];
        primary.process.signal('SIGSTOP');
        await stage.redis.untilPrimary(replica);
        primary.process.signal('SIGCONT');
        const { audit } = await scenario.end([3]);
        expect(faultsIn(audit)).toEqual(noFaults);
      });
    });

    /** A client without the contract's retries. */
    async function connected(): Promise<Socket> {
      const socket = stage.instances.connect(stage.instances.instances[0] as never);
      await eventually('the connection', () => socket.connected);
      return socket;
    }

    /** Some publishes in the rooms of a shard, each acknowledged. */
    async function written(scenario: Scenario, shard: number): Promise<void> {
      const { audience } = scenario.scene;
      const rooms = scenario.roomsOf(shard);
      const senders = audience.members.filter(({ room }) => rooms.includes(room.name));
      await audience.publish(20, 100, senders);
    }

    async function nothingIsLost(scenario: Scenario, shards: readonly number[]): Promise<void> {
      const { audit, published } = await scenario.end(shards);
      expect(audit).toEqual(nothingLost(published, published * members, 0));
    }
  },
  { testsOfAtomic: true },
);

/** Without an id. @returns how it ended */
async function publishOnce(socket: Socket, room: string): Promise<string> {
  const answer = await socket.timeout(20_000).emitWithAck('publish', { room, body: 0 });
  return answer.ok ? 'ok' : answer.error.code;
}
