import { type Check, CheckFailure, type Context, type Fault, type Proof } from '../../check.ts';
import { count, list } from '../../wording.ts';
import {
  type Cookie,
  cookiesOfHandshake,
  keptAcrossSites,
  keptOnOwnSite,
  type Sessions,
  trySessions,
} from './cookie-sessions.ts';
import { explainConnection } from './explain-connection.ts';
import { placeOnEach } from './placement.ts';

export const stickinessCookie: Check = {
  name: 'stickiness-cookie',
  title: 'Browsers keep the cookie that ties a polling session to its instance',
  needs: [],
  worksWithoutRooms: true,
  run: async (context) => {
    const { url } = context.target;
    const isHttps = url.startsWith('https:');
    const cookies = await read(context);
    if (cookies.length === 0) return withoutCookies(context);
    const own = await trySessions(url, (given) => keptOnOwnSite(given, isHttps));
    if (own.unknown > 0)
      throw new CheckFailure(broken(cookies, own, 'its own site', keptOnOwnSite(cookies, isHttps)));
    const given = `${list(cookies.map(describe))}: ${count(own.requests, 'request')} of ${count(own.number, 'session')} with what a page of the same site sends, 0 astray`;
    if (!isHttps) return { proved: given, notProved: [overHttp] };
    const kept = keptAcrossSites(cookies, isHttps);
    if (kept.length === 0) throw new CheckFailure(notAcross(cookies));
    const across = await trySessions(url, (all) => keptAcrossSites(all, isHttps));
    if (across.unknown > 0) throw new CheckFailure(broken(cookies, across, 'another site', kept));
    return {
      proved: `${given}; ${count(across.requests, 'request')} with what a page of another site sends (${list(kept.map(({ name }) => name))}), 0 astray`,
    };
  },
};

const overHttp =
  'polling by pages of another site: over HTTP browsers send none of these cookies there; serve HTTPS, or let those pages use WebSockets';

async function read(context: Context): Promise<readonly Cookie[]> {
  try {
    return await cookiesOfHandshake(context.target.url);
  } catch (error) {
    const words = (error as Error).message;
    const found = `a polling handshake failed: ${words}`;
    throw new CheckFailure(await explainConnection(context.target.url, found, words));
  }
}

/** One instance needs no cookie, and neither do several that relay to each other. */
async function withoutCookies(context: Context): Promise<Proof> {
  const { byInstance } = await placeOnEach(context, 1, 'websocket');
  if (byInstance.size === 1) return { proved: 'no cookie is set, and none is needed: one instance answers' };
  const instances = count(byInstance.size, 'instance');
  const { number, requests, unknown } = await trySessions(context.target.url, () => []);
  if (unknown > 0) {
    throw new CheckFailure({
      found: `the handshake sets no cookie, ${instances} answer, and ${unknown} of ${count(requests, 'request')} went astray`,
      cause:
        "the proxy's stickiness is off, it goes by address, or a CDN before it drops Set-Cookie; and the instances do not relay to each other",
      fix: "let the instances reach each other (RELAY_PORT, RELAY_HOST; one Redis for all), or turn stickiness by cookie on (ALB: the target group's stickiness.enabled, type lb_cookie)",
    });
  }
  return {
    proved: `no cookie is set, and none is needed: ${count(requests, 'request')} of ${count(number, 'session')} on ${instances}, 0 astray`,
  };
}

/** `AWSALBCORS (SameSite=None, Secure)` */
function describe({ name, sameSite, secure }: Cookie): string {
  const site = sameSite ? `SameSite=${sameSite[0]?.toUpperCase()}${sameSite.slice(1)}` : 'no SameSite';
  return `${name} (${site}${secure ? ', Secure' : ''})`;
}

function broken(
  cookies: readonly Cookie[],
  { unknown, requests }: Sessions,
  where: string,
  kept: readonly Cookie[],
): Fault {
  const sent = kept.length > 0 ? `sends ${list(kept.map(({ name }) => name))}` : 'sends none of them';
  return {
    found: `${list(cookies.map(describe))}: ${unknown} of ${count(requests, 'request')} went astray with what a page of ${where} ${sent}`,
    cause:
      kept.length > 0
        ? 'the proxy does not go by that cookie: another hop replaces it or drops it, or it names no instance'
        : 'browsers drop them all: Secure on a page without HTTPS, or SameSite=None without Secure',
    fix: "let every hop pass Cookie and Set-Cookie unchanged, and the proxy's own cookie carry `Secure; SameSite=None` over HTTPS",
  };
}

function notAcross(cookies: readonly Cookie[]): Fault {
  return {
    found: `${list(cookies.map(describe))}: a page of another site sends none of them`,
    cause:
      'no cookie carries both SameSite=None and Secure, so browsers keep it to its own site, and polling from others gets "Session ID unknown"',
    fix: 'on AWS give the load balancer its HTTPS listener, which sets AWSALBCORS so; elsewhere add `SameSite=None; Secure` at the proxy (HAProxy: cookie … attr; nginx: sticky cookie … secure samesite=none)',
  };
}
