import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { includesOrigin } from '../../origins.ts';
import { forwarded, isSecure } from '../net/client-address.ts';
import { HttpError } from './errors.ts';

export interface OriginRules {
  /** Browser origins besides the page's own, as `parseOrigins` gives them. */
  readonly corsOrigins: readonly string[];
  readonly trustedProxyHops: number;
  /** Notified of each request that is refused. @default nobody is */
  readonly onRefused?: (request: IncomingMessage) => void;
}

/**
 * May a page of this request's origin use the service? CORS does not cover WebSockets: the browser opens one to
 * anywhere, and only the server can look at who asks. A request without Origin is no browser's.
 */
export function isAllowedOrigin(request: IncomingMessage, rules: OriginRules): boolean {
  const { origin } = request.headers;
  if (origin === undefined || includesOrigin(rules.corsOrigins, origin)) return true;
  const page = parse(origin);
  return page !== undefined && isOwn(page, request, rules.trustedProxyHops);
}

/** The origin as CORS answers to its page must repeat it; undefined where they must not. */
export function corsOriginOf(origin: string | undefined, corsOrigins: readonly string[]): string | undefined {
  if (corsOrigins.includes('*')) return '*';
  return origin !== undefined && includesOrigin(corsOrigins, origin) ? origin : undefined;
}

/** A page of the service's own came by HTTP. */
function parse(origin: string): URL | undefined {
  if (!/^https?:\/\/[^/]+$/i.test(origin) || !URL.canParse(origin)) return undefined;
  return new URL(origin);
}

/**
 * The page's host is the one that was asked. Whether that was by TLS can be unknown; where it was, a page without
 * it is another's: anyone on the way can have written it.
 */
function isOwn(page: URL, request: IncomingMessage, hops: number): boolean {
  if (page.protocol === 'http:' && isSecure(request, hops)) return false;
  const hosts = [request.headers.host, forwarded(request, 'x-forwarded-host', hops)];
  return hosts.some((host) => {
    const own = `${page.protocol}//${host}`;
    return host !== undefined && URL.canParse(own) && new URL(own).host === page.host;
  });
}

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
