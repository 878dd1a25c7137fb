import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../children.ts';
import type { ConnectRequest, Deliveries, PublishRequest, Seat } from '../load/connections.ts';
import { type Observation, observe } from '../observe.ts';
import type { Collections } from '../servers/report.ts';
import { openStage, type Stage, sum } from '../stage.ts';
import type { Variant } from '../variants.ts';

/** Clients in rooms, and how fast they talk. */
export interface DeliveryLoad {
  readonly instances: number;
  readonly rooms: number;
  readonly membersPerRoom: number;
  readonly publishesPerSecond: number;
  readonly warmUpMs: number;
  /** A round measures each variant in so many slices of so many milliseconds. */
  readonly slices: number;
  readonly sliceMs: number;
}

export interface DeliveryFigures {
  /** Microseconds of all instances' CPU. */
  readonly cpuPerDelivery: number;
  readonly redisCpuPerPublish: number;
  /** Milliseconds from the sender's write to the receiver's event. */
  readonly p50: number;
  readonly p99: number;
  /** Garbage collections of all instances, and the longest of them: what comes meanwhile waits for its end. */
  readonly collections: Collections;
  readonly deliveries: number;
  /** Deliveries that were due and did not happen; below zero when they came from an earlier slice. */
  readonly missing: number;
}

const loadProcesses = 2;
/** By then everything that was published has arrived, or never will. */
const settleMs = 500;

/** One variant's instances with all their clients connected, and what they have cost so far. */
export class DeliveryRun {
  readonly #load: DeliveryLoad;
  readonly #stage: Stage;
  readonly #loaders: readonly Child[];
  #cpu = 0;
  #redisCpu = 0;
  #published = 0;
  #collected = 0;
  #longestCollection = 0;
  readonly #latencies: Float64Array[] = [];

  private constructor(load: DeliveryLoad, stage: Stage, loaders: readonly Child[]) {
    this.#load = load;
    this.#stage = stage;
    this.#loaders = loaders;
  }

  static async open(variant: Variant, load: DeliveryLoad): Promise<DeliveryRun> {
    const stage = await openStage(variant, { instances: load.instances });
    const loaders = Array.from({ length: loadProcesses }, () => new Child('load/connections'));
    const run = new DeliveryRun(load, stage, loaders);
    await run.#connect(variant);
    return run;
  }

  async warmUp(): Promise<void> {
    await this.#publish(this.#load.warmUpMs);
  }

  /** CPU a delivery: all that the instances do in a slice, by what their clients receive in it. */
  async measureSlice(): Promise<void> {
    const [cpu, redisCpu] = [await this.#stage.cpu(), await this.#stage.redis.cpu()];
    await this.#stage.collections();
    const { published, latencies } = await this.#publish(this.#load.sliceMs);
    const { total, longest } = await this.#stage.collections();
    this.#collected += total;
    this.#longestCollection = Math.max(this.#longestCollection, longest);
    this.#cpu += (await this.#stage.cpu()) - cpu;
    this.#redisCpu += (await this.#stage.redis.cpu()) - redisCpu;
    this.#published += published;
    this.#latencies.push(...latencies);
  }

  /** Looks at a slice more, as far as that was asked for. */
  observe(observation: Observation, what: string): Promise<string[]> {
    const work = async () => (await this.#publish(this.#load.sliceMs)).published * this.#load.membersPerRoom;
    return observe(observation, this.#stage, { what, unit: 'delivery', work });
  }

  figures(): DeliveryFigures {
    const latencies = Float64Array.from(this.#latencies.flatMap((each) => [...each])).sort();
    return {
      cpuPerDelivery: this.#cpu / latencies.length,
      redisCpuPerPublish: this.#redisCpu / this.#published,
      p50: percentile(latencies, 0.5) / 1_000,
      p99: percentile(latencies, 0.99) / 1_000,
      collections: { total: this.#collected, longest: this.#longestCollection },
      deliveries: latencies.length,
      missing: this.#published * this.#load.membersPerRoom - latencies.length,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#loaders.map((loader) => loader.end()));
    await this.#stage.close();
  }

  async #connect({ dialect }: Variant): Promise<void> {
    const seats = seatsOf(this.#load, this.#stage.ports);
    await Promise.all(
      this.#loaders.map((loader, index) => {
        const share = seats.filter((_, seat) => Math.floor(seat / 2) % this.#loaders.length === index);
        return loader.ask('connect', { dialect, seats: share } satisfies ConnectRequest);
      }),
    );
  }

  async #publish(forMs: number): Promise<{ published: number; latencies: Float64Array[] }> {
    const perSecond = this.#load.publishesPerSecond / this.#loaders.length;
    const request: PublishRequest = { perSecond, forMs };
    const published = await Promise.all(
      this.#loaders.map((loader) => loader.ask<number>('publish', request)),
    );
    await delay(settleMs);
    const collected = await Promise.all(this.#loaders.map((loader) => loader.ask<Deliveries>('collect')));
    return { published: sum(published), latencies: collected.map(({ latencies }) => latencies) };
  }
}

/** Members of a room sit on different instances. */
function seatsOf({ rooms, membersPerRoom }: DeliveryLoad, ports: readonly number[]): Seat[] {
  return Array.from({ length: rooms * membersPerRoom }, (_, index) => {
    const room = Math.floor(index / membersPerRoom);
    const member = index % membersPerRoom;
    return { room: `room-${room}`, port: ports[(room + member) % ports.length] as number };
  });
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
