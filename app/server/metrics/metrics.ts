import { collectDefaultMetrics, Registry } from 'prom-client';
import { BackplaneMetrics } from './backplane-metrics.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { EventLoopLag } from './event-loop-lag.ts';
import { HttpMetrics } from './http-metrics.ts';
import { RelayMetrics } from './relay-metrics.ts';
import { RoomMetrics } from './room-metrics.ts';

/** All that a service counts. README.md beside this file says what each means. */
export class Metrics {
  readonly registry = new Registry();
  readonly connections = new ConnectionMetrics(this.registry);
  readonly rooms = new RoomMetrics(this.registry);
  readonly backplane = new BackplaneMetrics(this.registry);
  readonly relay = new RelayMetrics(this.registry);
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
