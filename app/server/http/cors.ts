import type { FastifyInstance } from 'fastify';
import { HttpError } from './errors.ts';
import { corsOriginOf, isAllowedOrigin, type OriginRules } from './origin.ts';

/** A day, in seconds: how long a browser may keep the answer to its preflight (Chromium caps it at two hours). */
const preflightSeconds = 86_400;

/** Lets the pages of `CORS_ORIGINS` call a route, and refuses those of other origins. */
export function allowCors(http: FastifyInstance, path: string, rules: OriginRules): void {
  http.addHook('onRequest', async (request, reply) => {
    if (request.url.split('?', 1)[0] !== path) return;
    reply.header('vary', 'Origin');
    if (!isAllowedOrigin(request.raw, rules)) {
      throw new HttpError(403, 'forbidden_origin', 'this origin may not use the service: see CORS_ORIGINS');
    }
    const origin = corsOriginOf(request.raw, rules);
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
