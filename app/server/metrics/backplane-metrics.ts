import { Counter, Histogram, type Registry } from 'prom-client';
import type { BackplaneStatus, ShardState } from '../redis/backplane.ts';
import type { RedisFault, ShardObserver } from '../redis/shard.ts';
import { counterOf, gaugeOf, one } from './families.ts';
import { Reservoir } from './reservoir.ts';

/** What is looked at of a backplane. */
export interface WatchedBackplane {
  readonly status: BackplaneStatus;
  /** Of a cluster. */
  readonly shards: readonly ShardState[];
  on(event: 'status', listener: () => void): unknown;
}

/** The newest fault, for whoever asks why an instance is not as it should be. */
export interface LastFault {
  readonly link: string;
  readonly fault: RedisFault;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const statuses: readonly BackplaneStatus[] = ['single-instance', 'starting', 'joined', 'degraded'];
/** Purposes of links are few, and named in the code; an unknown one must not make a family grow. */
const knownLinks = new Set(['commands', 'subscriptions', 'acks', 'heartbeat', 'map']);

/** How Redis does, as this instance sees it. */
export class BackplaneMetrics implements ShardObserver {
  readonly #roundTrip: Histogram;
  readonly #faults: Counter;
  #backplane: WatchedBackplane | undefined;
  #servesAlone = false;
  #degradedBefore = 0;
  #degradedSince: number | undefined;
  #lastFault: LastFault | undefined;
  faults = 0;
  /** In milliseconds. */
  readonly #roundTrips = new Reservoir();

  constructor(registry: Registry) {
    gaugeOf(
      registry,
      {
        name: 'realtime_backplane_status',
        help: '1 for the status that holds. `degraded` for more than a failover takes, or `starting`: look at the log for what Redis says',
        labels: ['status'],
      },
      () => statuses.map((status) => [{ status }, this.#backplane?.status === status ? 1 : 0] as const),
    );
    gaugeOf(
      registry,
      {
        name: 'realtime_redis_shard_joined',
        help: '1 for each shard of a cluster that can be read and written, else 0. 0 for more than a failover takes: publishes to its rooms are refused',
        labels: ['shard'],
      },
      () =>
        this.shards.map(({ address, status }) => [{ shard: address }, status === 'joined' ? 1 : 0] as const),
    );
    counterOf(
      registry,
      {
        name: 'realtime_degraded_seconds_total',
        help: 'Time that this instance served without Redis, or with one that took no writes. Any rise: publishes were refused meanwhile',
      },
      () => one(this.degradedSeconds),
    );
    this.#roundTrip = new Histogram({
      name: 'realtime_redis_round_trip_seconds',
      help: "The heartbeat's way through Redis and back, once a second. A rise: Redis, the network to it or this event loop is slow",
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [registry],
    });
    this.#faults = new Counter({
      name: 'realtime_redis_errors_total',
      help: 'Connections to Redis that could not be made (connect) or were lost, beats that did not come in time (overdue), and times at which it stopped taking writes (read-only). A rise: a failover, the network, or a Redis that is full or can not save',
      labelNames: ['link', 'fault'],
      registers: [registry],
    });
  }

  /** @param servesAlone `BACKPLANE=preferred`: it is degraded before it has joined, too */
  watch(backplane: WatchedBackplane, servesAlone: boolean): void {
    this.#backplane = backplane;
    this.#servesAlone = servesAlone;
    this.#look();
    backplane.on('status', () => this.#look());
  }

  roundTrip(milliseconds: number): void {
    this.#roundTrip.observe(milliseconds / 1000);
    this.#roundTrips.add(milliseconds);
  }

  failed(link: string, fault: RedisFault, reason: Error): void {
    this.faults += 1;
    this.#faults.inc({ link: knownLinks.has(link) ? link : 'other', fault });
    this.#lastFault = { link, fault, message: reason.message, at: Date.now() };
  }

  get shards(): readonly ShardState[] {
    return this.#backplane?.shards ?? [];
  }

  get status(): BackplaneStatus | undefined {
    return this.#backplane?.status;
  }

  get degraded(): boolean {
    return this.#degradedSince !== undefined;
  }

  get degradedSeconds(): number {
    const now = this.#degradedSince === undefined ? 0 : Date.now() - this.#degradedSince;
    return (this.#degradedBefore + now) / 1000;
  }

  get lastFault(): LastFault | undefined {
    return this.#lastFault;
  }

  /** Milliseconds of each beat since they were last taken. */
  takeRoundTrips(): number[] {
    return this.#roundTrips.take();
  }

  #look(): void {
    const status = this.#backplane?.status;
    const degraded = status === 'degraded' || (status === 'starting' && this.#servesAlone);
    if (degraded === this.degraded) return;
    if (this.#degradedSince !== undefined) this.#degradedBefore += Date.now() - this.#degradedSince;
    this.#degradedSince = degraded ? Date.now() : undefined;
  }
}
