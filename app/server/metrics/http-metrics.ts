import type { FastifyInstance } from 'fastify';
import { Histogram, type Registry } from 'prom-client';

/** HTTP requests, by the pattern of their route: a path of a caller's own making makes no new series. */
export class HttpMetrics {
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
