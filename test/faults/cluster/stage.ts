import { setTimeout as delay } from 'node:timers/promises';
import type { Audit, Statistics } from '../../../lib/verify/accounting/audit.ts';
import { Scene } from '../../support/clients/scene.ts';
import { Traffic } from '../../support/clients/traffic.ts';
import { type ClusterServer, ShardedRedis } from '../../support/redis/sharded-redis.ts';
import { scaled } from '../../support/scale.ts';
import { Cluster } from '../../support/servers/cluster.ts';

export const roomsEach = scaled(2, 6);
export const members = scaled(2, 4);

/** Instances on one cluster for all faults of a file, each of which meets rooms of its own. */
export class Stage {
  readonly redis: ShardedRedis;
  readonly instances: Cluster;

  private constructor(redis: ShardedRedis, instances: Cluster) {
    this.redis = redis;
    this.instances = instances;
  }

  static async open({ binary }: ClusterServer): Promise<Stage> {
    const redis = await ShardedRedis.start({ binary, nodeTimeoutMs: scaled(3_000, 5_000) });
    return new Stage(redis, await Cluster.start({ instances: 2, redis: redis.setting }));
  }

  async stop(): Promise<void> {
    await this.instances.stop();
    await this.redis.stop();
  }

  /** New rooms on every shard, and clients that publish in all of them. */
  async begin(): Promise<Scenario> {
    await this.redis.untilReady();
    const rooms = await this.redis.rooms(roomsEach);
    const scene = await Scene.on(this.instances, [...rooms.values()].flat(), members);
    const traffic = await Traffic.start(scene.audience);
    await traffic.reaches(30);
    return new Scenario(this.redis, scene, traffic, rooms);
  }
}

/** A fault, and what its clients count. */
export class Scenario {
  readonly redis: ShardedRedis;
  readonly scene: Scene;
  readonly traffic: Traffic;
  readonly #rooms: ReadonlyMap<number, readonly string[]>;

  constructor(
    redis: ShardedRedis,
    scene: Scene,
    traffic: Traffic,
    rooms: ReadonlyMap<number, readonly string[]>,
  ) {
    this.redis = redis;
    this.scene = scene;
    this.traffic = traffic;
    this.#rooms = rooms;
  }

  /** Those that were on this shard at the start. */
  roomsOf(shard: number): readonly string[] {
    return this.#rooms.get(shard) as readonly string[];
  }

  /** What the members of rooms on this shard heard of it, and those of all other rooms. */
  degradedOn(shard: number): { here: (readonly boolean[])[]; elsewhere: (readonly boolean[])[] } {
    const { members } = this.scene.audience;
    const isHere = (room: string) => this.roomsOf(shard).includes(room);
    return {
      here: members.filter(({ room }) => isHere(room.name)).map(({ degraded }) => degraded),
      elsewhere: members.filter(({ room }) => !isHere(room.name)).map(({ degraded }) => degraded),
    };
  }

  /** While publishes go on. */
  async lasts(ms: number): Promise<void> {
    await delay(ms);
  }

  /**
   * The end of it: every publish has ended, every client stands behind the last message.
   * @param shards that the fault has met; it prints how long publishes took in their rooms and in others
   */
  async end(shards: readonly number[]): Promise<{ audit: Audit; published: number }> {
    await this.redis.untilReady();
    const published = (await this.traffic.end()) + this.scene.rooms.length;
    const audit = await this.scene.finish(this.redis);
    const met = shards.flatMap((shard) => this.roomsOf(shard));
    const others = this.scene.rooms.filter((room) => !met.includes(room));
    const { audience } = this.scene;
    console.info(
      `${expect.getState().currentTestName}: ${published} publishes; the slowest took ${audience.slowestIn(met)} ms in rooms that it met, ${audience.slowestIn(others)} ms in others; ${audit.dropped} dropped, ${audit.client.notified} notified`,
    );
    this.scene.leave();
    for (const instance of this.scene.cluster.instances) expect(instance.output()).not.toContain('CROSSSLOT');
    return { audit, published };
  }
}

/** What the contract forbids, whatever happened. */
export function faultsIn({ droppedUnsaid, appendedTwice, client }: Audit): Partial<Audit & Statistics> {
  const { lostUnsaid, goneUnsaid, duplicated, outOfOrder } = client;
  return { droppedUnsaid, appendedTwice, lostUnsaid, goneUnsaid, duplicated, outOfOrder };
}

export const noFaults = {
  droppedUnsaid: 0,
  appendedTwice: 0,
  lostUnsaid: 0,
  goneUnsaid: 0,
  duplicated: 0,
  outOfOrder: 0,
};
