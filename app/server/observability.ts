import type { Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import type { Server } from 'socket.io';
import type { Connections } from './connections.ts';
import type { Environment } from './environment.ts';
import { type AdminListener, openAdmin } from './http/admin.ts';
import type { Readiness } from './http/health.ts';
import type { InspectedHub } from './http/inspection.ts';
import type { WatchedBackplane } from './metrics/backplane-metrics.ts';
import { EmfReporter } from './metrics/emf-reporter.ts';
import { Metrics } from './metrics/metrics.ts';
import { summarizeConnections } from './metrics/summary.ts';

/** The parts of a service that are looked at. */
export interface ObservedService {
  readonly io: Server;
  readonly connections: Connections;
  readonly http: HttpServer;
  readonly backplane: WatchedBackplane;
  readonly hubs: readonly InspectedHub[];
  readonly readiness: () => Readiness;
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
  async open({ io, connections, http, backplane, hubs, readiness }: ObservedService): Promise<void> {
    const { metrics } = this;
    const { adminPort, host, instanceId, serviceTokens, backplane: need } = this.#environment;
    metrics.connections.watch(io, http, connections);
    metrics.backplane.watch(backplane, need === 'preferred');
    for (const { name, rooms } of hubs) metrics.rooms.watch(name, rooms);
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

  /** The last of a tidy end but the backplane: the metrics of the drain are told and can be scraped until now. */
  async close(): Promise<void> {
    this.#reporter?.report('drain ended');
    this.#reporter?.close();
    this.#endSummary();
    await this.#admin?.close();
    this.metrics.close();
  }
}
