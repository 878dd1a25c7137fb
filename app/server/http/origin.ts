import type { IncomingMessage } from 'node:http';
import { forwarded, isSecure } from './client-address.ts';

export interface OriginRules {
  /** Browser origins besides the page's own; `*` for any. */
  readonly corsOrigins: readonly string[];
  readonly trustedProxyHops: number;
}

/**
 * May a page of this request's origin use the service? CORS does not cover WebSockets: the browser opens one to
 * anywhere, and only the server can look at who asks. A request without Origin is no browser's.
 */
export function isAllowedOrigin(request: IncomingMessage, rules: OriginRules): boolean {
  const { origin } = request.headers;
  if (origin === undefined || rules.corsOrigins.includes('*')) return true;
  const page = parse(origin);
  if (!page) return false;
  return isListed(page, rules.corsOrigins) || isOwn(page, request, rules.trustedProxyHops);
}

/** The origin as its page's CORS answers must repeat it; undefined where they must not. */
export function corsOriginOf(request: IncomingMessage, rules: OriginRules): string | undefined {
  const { origin } = request.headers;
  const page = origin === undefined ? undefined : parse(origin);
  if (rules.corsOrigins.includes('*')) return '*';
  return page && isListed(page, rules.corsOrigins) ? origin : undefined;
}

/** `null`, which a sandboxed frame and a file say, is no origin. */
function parse(origin: string): URL | undefined {
  if (!/^https?:\/\/[^/]+$/i.test(origin) || !URL.canParse(origin)) return undefined;
  return new URL(origin);
}

function isListed(page: URL, origins: readonly string[]): boolean {
  return origins.some((listed) => URL.canParse(listed) && new URL(listed).origin === page.origin);
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
