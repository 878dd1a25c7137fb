import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Relay } from '../relay/relay.ts';
import { BackplaneMetrics } from './backplane-metrics.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { EventLoopLag } from './event-loop-lag.ts';
import { counterOf, gaugeOf, one } from './families.ts';
import { RoomMetrics } from './room-metrics.ts';

/** All that a service counts. README.md beside this file says what each means. */
export class Metrics {
  readonly registry = new Registry();
  readonly connections = new ConnectionMetrics(this.registry);
  readonly rooms = new RoomMetrics(this.registry);
  readonly backplane = new BackplaneMetrics(this.registry);
  readonly relay = new RelayMetrics(this.registry);
  readonly instanceEnds = new InstanceEndMetrics(this.registry);
  readonly http = new HttpMetrics(this.registry);
  readonly eventLoop = new EventLoopLag(this.registry);

  constructor() {
    collectNodeMetrics(this.registry);
  }

  /** In Prometheus' text format. */
  render(): Promise<string> {
    return this.registry.metrics();
  }

  close(): void {
    this.eventLoop.close();
  }
}

/**
 * prom-client's families of Node and the process, without those that list every handle at each scrape, which is
 * every connection, and without its event loop lag, which a second reader falsifies.
 */
function collectNodeMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1_000 });
  for (const { name } of registry.getMetricsAsArray()) {
    if (/^nodejs_(active_|eventloop_lag)/.test(name)) registry.removeSingleMetric(name);
  }
}

/** HTTP requests, by the pattern of their route: a path of a caller's own making makes no new series. */
class HttpMetrics {
  readonly #duration: Histogram;

  constructor(registry: Registry) {
    this.#duration = new Histogram({
      name: 'realtime_http_request_duration_seconds',
      help: 'HTTP requests by route and status, without polling. A rise of 5xx or of duration at the messages route: Redis is slow; of 4xx: a backend lacks its token, or someone tries',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [registry],
    });
  }

  /** Must be called before the routes are added. */
  watch(http: FastifyInstance): void {
    http.addHook('onResponse', async (request, reply) => {
      const route = request.is404 ? undefined : request.routeOptions.url;
      this.#duration.observe(
        {
          method: route === undefined ? 'any' : request.method,
          route: route ?? 'unmatched',
          status: `${Math.floor(reply.statusCode / 100)}xx`,
        },
        reply.elapsedTime / 1000,
      );
    });
  }
}

/** What goes by this instance to sessions of others: it ends with this instance, too. */
class RelayMetrics {
  /** Absent in single-instance mode. */
  #relay: Relay | undefined;

  constructor(registry: Registry) {
    gaugeOf(
      registry,
      {
        name: 'realtime_relayed',
        help: 'Requests and connections that this instance relays to the instances of their sessions now. A rise of connection: more clients than its own are cut with this instance',
        labels: ['kind'],
      },
      () => {
        const counts = { request: 0, connection: 0 };
        for (const { kind } of this.#relay ?? []) counts[kind] += 1;
        return Object.entries(counts).map(([kind, count]) => [{ kind }, count] as const);
      },
    );
    counterOf(
      registry,
      {
        name: 'realtime_relayed_total',
        help: "Requests and connections relayed. A rise: the proxy's stickiness does not hold, or clients keep no cookies",
        labels: ['kind'],
      },
      () => [
        [{ kind: 'request' }, this.#relay?.requests ?? 0],
        [{ kind: 'connection' }, this.#relay?.upgrades ?? 0],
      ],
    );
    counterOf(
      registry,
      {
        name: 'realtime_relay_unreachable_total',
        help: 'Requests whose session is on an instance that can not be reached. A rise: instances end, or the relay port is closed between them',
      },
      () => one(this.#relay?.unreachable ?? 0),
    );
  }

  watch(relay: Relay): void {
    this.#relay = relay;
  }
}

/** Counts what ended with other instances. */
export interface WatchedInstances {
  readonly ends: { readonly instances: number; readonly served: number; readonly relayed: number };
}

/** What the ends of other instances cut. One that was killed can't say so itself: one of those that go on does. */
class InstanceEndMetrics {
  #watched: WatchedInstances | undefined;

  constructor(registry: Registry) {
    counterOf(
      registry,
      {
        name: 'realtime_instance_ends_total',
        help: 'Ends of other instances that were handed to this one: each to one of those that go on. A rise: instances crash, or are replaced',
      },
      () => one(this.#ends.instances),
    );
    counterOf(
      registry,
      {
        name: 'realtime_sessions_cut_total',
        help: 'Sessions that those instances held (served), or relayed to others, when they last said so before they ended: what their ends cut. A rise: instances end without having drained; of relayed: more is cut than their own',
        labels: ['part'],
      },
      () => [
        [{ part: 'served' }, this.#ends.served],
        [{ part: 'relayed' }, this.#ends.relayed],
      ],
    );
  }

  /** All that was cut. */
  get sessions(): number {
    return this.#ends.served + this.#ends.relayed;
  }

  watch(watched: WatchedInstances): void {
    this.#watched = watched;
  }

  get #ends() {
    return this.#watched?.ends ?? { instances: 0, served: 0, relayed: 0 };
  }
}
