import { collectDefaultMetrics, type Registry } from 'prom-client';

/**
 * prom-client's families of Node and the process, without those that list every handle at each scrape, which is
 * every connection, and without its event loop lag, which a second reader falsifies.
 */
export function collectNodeMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1_000 });
  for (const { name } of registry.getMetricsAsArray()) {
    if (/^nodejs_(active_|eventloop_lag)/.test(name)) registry.removeSingleMetric(name);
  }
}
