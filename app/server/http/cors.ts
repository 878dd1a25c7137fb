import type { FastifyInstance } from 'fastify';
import { HttpError } from './errors.ts';
import { corsOriginOf, isAllowedOrigin, type OriginRules } from './origin.ts';

/** A day, in seconds: how long a browser may keep the answer to its preflight (Chromium caps it at two hours). */
const preflightSeconds = 86_400;

/** Lets the pages of `CORS_ORIGINS` call a route, and refuses those of other origins. */
export function allowCors(http: FastifyInstance, path: string, rules: OriginRules): void {
  http.addHook('onRequest', async (request, reply) => {
    // The route that was found, however its path was written: `/api/%73ession` leads to the same one.
    if (request.routeOptions.url !== path) return;
    reply.header('vary', 'Origin');
    if (!isAllowedOrigin(request.raw, rules)) {
      rules.onRefused?.(request.raw);
      throw new HttpError(403, 'forbidden_origin', 'this origin may not use the service: see CORS_ORIGINS');
    }
    const origin = corsOriginOf(request.headers.origin, rules.corsOrigins);
    if (origin !== undefined) reply.header('access-control-allow-origin', origin);
  });
  http.options(path, async (_request, reply) =>
    reply
      .code(204)
      .header('access-control-allow-methods', 'POST')
      .header('access-control-allow-headers', 'authorization, content-type')
      .header('access-control-max-age', String(preflightSeconds))
      .send(),
  );
}
