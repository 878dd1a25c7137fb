import type { Logger } from 'pino';
import type { Environment } from './environment.ts';
import { type AdminListener, openAdmin } from './http/admin/admin.ts';
import type { InspectedHub } from './http/admin/inspection.ts';
import type { Readiness } from './http/health.ts';
import type { WatchedBackplane } from './metrics/backplane-metrics.ts';
import type { ConnectionMetrics } from './metrics/connection-metrics.ts';
import { EmfReporter } from './metrics/emf.ts';
import { Metrics, type WatchedInstances } from './metrics/metrics.ts';
import type { Relay } from './relay/relay.ts';

/** The parts of a service that are looked at. */
export interface ObservedService {
  /** Clients' connections by every transport. */
  readonly connections: Iterable<{ readonly transport: { readonly name: string } }>;
  readonly backplane: WatchedBackplane;
  readonly hubs: readonly InspectedHub[];
  readonly readiness: () => Readiness;
  /** Undefined in single-instance mode. */
  readonly relay: Relay | undefined;
  readonly instances: WatchedInstances;
}

/** What a service tells of itself: metrics, the listener for operators, CloudWatch's lines, the log's summary. */
export class Observability {
  readonly metrics = new Metrics();
  readonly #environment: Environment;
  readonly #log: Logger;
  readonly #reporter: EmfReporter | undefined;
  readonly #endSummary: () => void;
  #admin: AdminListener | undefined;

  constructor(environment: Environment, log: Logger) {
    const { metrics } = this;
    const { emfNamespace: namespace, deployment } = environment;
    this.#environment = environment;
    this.#log = log;
    this.#reporter =
      namespace === undefined ? undefined : new EmfReporter({ metrics, namespace, deployment, log });
    this.#endSummary = summarizeConnections(metrics.connections, log);
  }

  /** Starts to look, and listens for operators. @throws EnvironmentError when it can't */
  async open({ connections, backplane, hubs, readiness, relay, instances }: ObservedService): Promise<void> {
    const { metrics } = this;
    const { adminPort, host, instanceId, serviceTokens, backplane: need } = this.#environment;
    metrics.connections.watch(connections);
    metrics.backplane.watch(backplane, need === 'preferred');
    for (const { name, rooms } of hubs) metrics.rooms.watch(name, rooms);
    if (relay) metrics.relay.watch(relay);
    metrics.instanceEnds.watch(instances);
    if (adminPort === undefined) return;
    this.#admin = await openAdmin({
      port: adminPort,
      host,
      serviceTokens,
      instance: instanceId,
      metrics,
      hubs,
      readiness,
      log: this.#log,
    });
    this.#log.info(`metrics on ${this.#admin.url}`);
  }

  drainStarted(): void {
    this.#reporter?.report('drain started');
  }

  /** The last of a tidy end but the backplane: the metrics of the drain are reported and can be scraped until now. */
  async close(): Promise<void> {
    this.#reporter?.report('drain ended');
    this.#reporter?.close();
    this.#endSummary();
    await this.#admin?.close();
    this.metrics.close();
  }
}

const everyMs = 60_000;

/**
 * One line a minute of how many came and went, where any did: each of them is logged at debug level alone, so that
 * ten thousand reconnects don't write ten thousand lines.
 *
 * @returns ends it
 */
export function summarizeConnections(
  connections: ConnectionMetrics,
  log: Logger,
  periodMs = everyMs,
): () => void {
  let [opened, closed] = [0, 0];
  const timer = setInterval(() => {
    const [came, went] = [connections.opened - opened, connections.closed - closed];
    [opened, closed] = [connections.opened, connections.closed];
    if (came + went > 0)
      log.info({ connections: connections.count, opened: came, closed: went }, 'connections');
  }, periodMs).unref();
  return () => clearInterval(timer);
}
