import { count, list } from '../../../verify/wording.ts';
import { notChecked, passed } from '../../finding.ts';
import { type Check, failed, warned } from '../check.ts';
import type { Probes } from '../probes.ts';
import type { Sessions } from '../protocols/session.ts';
import type { Endpoint, Subject } from '../subject.ts';

const words = {
  socketio: { polling: 'polling session', unknown: '"Session ID unknown"' },
  signalr: { polling: 'negotiated connection', unknown: '"No Connection with that ID"' },
} as const;

/** The requests of one session reach its instance: what a page of the server's own site needs. */
export function sessionsHold(endpoint: Endpoint): Check {
  const { polling } = words[endpoint.protocol];
  return {
    name: endpoint.protocol === 'socketio' ? 'polling' : 'negotiate',
    run: async (subject, probes) => {
      const sessions = await probes.sessions(endpoint);
      const sent = cookieWords(sessions);
      if (sessions.astray === 0)
        return passed(
          `${count(sessions.number, polling)} ${sent}: ${count(sessions.requests, 'request')}, 0 astray`,
        );
      return failed({
        found: `${sessions.astray} of ${count(sessions.requests, 'request')} of ${count(sessions.number, polling)} ${sent} went astray: ${sessions.words}`,
        ...(await explainAstray(endpoint, sessions, subject, probes)),
      });
    },
  };
}

/** The same for clients that keep no cookies: apps, other servers, pages of another site. */
export function sessionsHoldWithoutCookies(endpoint: Endpoint): Check {
  const { polling, unknown } = words[endpoint.protocol];
  return {
    name: endpoint.protocol === 'socketio' ? 'polling-no-cookies' : 'negotiate-no-cookies',
    run: async (_subject, probes) => {
      const withCookies = await probes.sessions(endpoint);
      if (withCookies.cookies.length === 0)
        return passed('the server sets no cookie: these are the clients above');
      const { number, requests, astray } = await probes.sessionsWithoutCookies(endpoint);
      if (astray === 0)
        return passed(`${count(number, polling)} without cookies: ${count(requests, 'request')}, 0 astray`);
      if (withCookies.astray > 0) return notChecked('sessions break with cookies, too');
      return warned({
        found: `${astray} of ${count(requests, 'request')} without cookies went astray, so ${count(await probes.instances(endpoint), 'instance')} answer or more`,
        cause: `stickiness works by ${list(withCookies.cookies.map(({ name }) => name))} alone: clients that keep no cookies get ${unknown}`,
        fix: `${keepCookies[endpoint.protocol]}; or ${webSocketAlone[endpoint.protocol]}`,
      });
    },
  };
}

const keepCookies = {
  socketio: 'let clients keep them (`withCredentials: true` in pages of another origin)',
  signalr: 'let clients keep them (`withCredentials` is on in JavaScript; .NET needs `options.Cookies`)',
} as const;

/** What helps behind any proxy that passes WebSockets. */
const webSocketAlone = {
  socketio: "let them use WebSockets alone (`transports: ['websocket']`)",
  signalr:
    'let them use WebSockets alone and skip the negotiation (`skipNegotiation: true, transport: HttpTransportType.WebSockets`)',
} as const;

function cookieWords({ cookies }: Sessions): string {
  return cookies.length === 0
    ? 'for which no cookie is set'
    : `with the cookies of their first response (${list(cookies.map(({ name }) => name))})`;
}

async function explainAstray(
  endpoint: Endpoint,
  sessions: Sessions,
  { isOurs }: Subject,
  probes: Probes,
): Promise<{ cause: string; fix: string }> {
  const { unknown } = words[endpoint.protocol];
  if (isOurs) {
    return {
      cause: `${unknown}: the instances can't relay requests to each other`,
      fix: 'let the instances reach each other (RELAY_PORT, RELAY_HOST; one Redis and one DEPLOYMENT for all)',
    };
  }
  const works = await probes.webSocketWorks(endpoint);
  const withoutStickiness = works
    ? `${webSocketAlone[endpoint.protocol]}, which works here now; or `
    : 'where the proxy has no such setting, as CapRover and Swarm have none, repair WebSockets first (see below) and use them alone; or ';
  if (sessions.cookies.length > 0) {
    return {
      cause: `it sets ${list(sessions.cookies.map(({ name }) => name))}, and requests with it reach another instance all the same: the cookie is not the proxy's, browsers drop it, or another hop ignores it`,
      fix: `${withoutStickiness}turn stickiness by cookie on at the hop that chooses the instance. With one instance it works`,
    };
  }
  if (sessions.astray === sessions.requests) {
    return {
      cause: `${unknown}: not one request is known where it arrives: a proxy drops the query of requests, or gives each to another instance`,
      fix: `let every hop pass paths and queries as they are. Then look at one instance alone (--instance URL): if it works, ${withoutStickiness}turn stickiness by cookie on at the proxy`,
    };
  }
  return {
    cause: `${unknown}: about ${count(await probes.instances(endpoint), 'instance')} answer behind a proxy without stickiness, and each knows its own sessions alone. It fails with two, and works with one`,
    fix: `${withoutStickiness}turn stickiness by cookie on at the proxy (ALB: stickiness.enabled, lb_cookie; HAProxy: cookie … insert; Traefik: sticky.cookie)`,
  };
}
