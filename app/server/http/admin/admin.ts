import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import { environmentNames, paths } from '../../../names.ts';
import type { LastFault } from '../../metrics/backplane-metrics.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { ShardState } from '../../redis/backplane.ts';
import { EnvironmentError } from '../../variables.ts';
import { checked, respondToErrors } from '../errors.ts';
import type { Readiness } from '../health.ts';
import { requireServiceToken } from '../service-token.ts';
import { type InspectedHub, inspect, inspectionQuery } from './inspection.ts';

export interface AdminOptions {
  readonly port: number;
  readonly host: string;
  /** None: `/instance` is not served. */
  readonly serviceTokens: readonly string[];
  readonly instance: string;
  readonly metrics: Metrics;
  readonly hubs: readonly InspectedHub[];
  readonly readiness: () => Readiness;
  readonly log: Logger;
}

export interface AdminListener {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * `/metrics` and `/instance` on a port of their own, which is not for the public: no load balancer leads there, and
 * the network says who may. `/metrics` is open to whoever reaches it; `/instance` tells users and rooms, and wants a
 * service token as well.
 *
 * @throws EnvironmentError when it can't listen there
 */
export async function openAdmin(options: AdminOptions): Promise<AdminListener> {
  const http = Fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    requestTimeout: 10_000,
    bodyLimit: 1_024,
  }) as unknown as FastifyInstance;
  respondToErrors(http);
  const { metrics, serviceTokens } = options;
  http.get(paths.metrics, async (_request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .type(metrics.registry.contentType)
      .send(await metrics.render()),
  );
  if (serviceTokens.length > 0) {
    const checkToken = requireServiceToken(serviceTokens);
    http.get(
      paths.instance,
      { onRequest: async (request) => checkToken(request) },
      async (request, reply) => {
        const query = checked(inspectionQuery, request.query);
        return reply.header('cache-control', 'no-store').send({
          instance: options.instance,
          ...statusOf(options),
          connections: metrics.connections.byTransport(),
          ...inspect(options.hubs, query),
        });
      },
    );
  }
  const url = await http.listen({ port: options.port, host: options.host }).catch((error: Error) => {
    throw explain(error, options);
  });
  return { url, close: () => http.close() };
}

interface InstanceStatus {
  readonly readiness: Readiness;
  readonly backplane: string | undefined;
  readonly degradedSeconds: number;
  /** Of a cluster. */
  readonly shards?: readonly ShardState[];
  /** The newest that Redis said, while it is not as it should be or after. */
  readonly lastRedisFault?: Omit<LastFault, 'at'> & { readonly at: string };
}

/** With the reason, which the public body does not tell. */
function statusOf({ readiness, metrics: { backplane } }: AdminOptions): InstanceStatus {
  const { status, degradedSeconds, lastFault, shards } = backplane;
  return {
    readiness: readiness(),
    backplane: status,
    degradedSeconds,
    ...(shards.length > 0 && { shards }),
    ...(lastFault && { lastRedisFault: { ...lastFault, at: new Date(lastFault.at).toISOString() } }),
  };
}

function explain(error: Error, { port, host }: AdminOptions): EnvironmentError {
  return new EnvironmentError(
    `${environmentNames.adminPort}: ${host}:${port} can't be listened on (${error.message}). Set it to a free port, other than ${environmentNames.port}.`,
  );
}
