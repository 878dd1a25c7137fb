import { type Cookie, keptAcrossSites } from '../../../verify/checks/connecting/cookie-sessions.ts';
import { type HttpResponse, sendRequest } from '../../../verify/target/request.ts';
import { list } from '../../../verify/wording.ts';
import { passed } from '../../finding.ts';
import { type Check, type Finding, failed, warned } from '../check.ts';
import type { Probes } from '../probes.ts';
import { closePolling, openEngineSocket, readHandshake } from '../protocols/engine-io.ts';
import { patienceMs } from '../protocols/session.ts';
import { authorization, openHubSocket } from '../protocols/signalr.ts';
import type { Endpoint, Subject } from '../subject.ts';

/** A page that nobody has: a server that lets it in lets in all. */
const stranger = 'https://doctor.invalid';

const allowIt = {
  socketio:
    "name the page's origin at the server (Socket.IO: cors.origin; python-socketio: cors_allowed_origins; this project: CORS_ORIGINS)",
  signalr:
    "name the page's origin at the server, with credentials (ASP.NET: WithOrigins(…).AllowCredentials(); this project: CORS_ORIGINS)",
} as const;

/** What a browser requires of the responses that a page of another origin may read. */
export function pagesMayConnect(endpoint: Endpoint): Check {
  return {
    name: endpoint.protocol === 'socketio' ? 'cors' : 'hub-cors',
    run: async (subject) => {
      const { pageOrigin, url } = subject;
      if (pageOrigin === url) return passed('the page is of the same origin: nothing has to be allowed');
      const response = await askAsPage(subject, endpoint, pageOrigin ?? stranger);
      return pageOrigin === undefined
        ? assessStranger(response)
        : assessPage(response, pageOrigin, subject, endpoint);
    },
  };
}

async function askAsPage(
  subject: Subject,
  { protocol, path }: Endpoint,
  origin: string,
): Promise<HttpResponse> {
  const options = { headers: { origin, ...authorization(subject) }, timeoutMs: patienceMs };
  if (protocol === 'signalr')
    return sendRequest(`${path}/negotiate?negotiateVersion=1`, subject.url, { method: 'POST', ...options });
  const response = await sendRequest(`${path}?EIO=4&transport=polling`, subject.url, options);
  if (response.status === 200) await closePolling(subject, path, readHandshake(response));
  return response;
}

function allowedBy({ headers }: HttpResponse) {
  return {
    origin: headers['access-control-allow-origin'],
    credentials: headers['access-control-allow-credentials'] === 'true',
  };
}

async function assessPage(
  response: HttpResponse,
  page: string,
  subject: Subject,
  endpoint: Endpoint,
): Promise<Finding> {
  const { origin, credentials } = allowedBy(response);
  const fix = allowIt[endpoint.protocol];
  if (origin?.includes(','))
    return failed({
      found: `Access-Control-Allow-Origin comes twice: ${origin}`,
      cause: 'the server and a proxy both add it, and browsers take no response with two',
      fix: 'let one of them add it: the server',
    });
  if (origin !== page && origin !== '*')
    return failed({
      found: `a page of ${page} gets HTTP ${response.status} with ${origin === undefined ? 'no Access-Control-Allow-Origin' : `Access-Control-Allow-Origin: ${origin}`}`,
      cause: 'the server does not allow pages of this origin, and the browser keeps the response from them',
      fix,
    });
  // SignalR's client sends credentials unless it is told not to.
  if (endpoint.protocol === 'signalr' && (origin === '*' || !credentials))
    return failed({
      found: `a page of ${page} gets Access-Control-Allow-Origin: ${origin}, ${credentials ? 'with' : 'without'} credentials`,
      cause: "SignalR's client sends credentials, and browsers take no `*` and no response without them then",
      fix: `${fix}; or let the client set withCredentials: false`,
    });
  const opened = await (endpoint.protocol === 'socketio' ? openEngineSocket : openHubSocket)(
    subject,
    endpoint.path,
    { origin: page, ...authorization(subject) },
  );
  if ('socket' in opened) opened.socket.close();
  if ('refusal' in opened && [400, 403].includes(opened.refusal.status))
    return failed({
      found: `requests of a page of ${page} are allowed, and its WebSockets get ${opened.refusal.words}`,
      cause: 'the server, or a firewall, looks at Origin of WebSockets by another list',
      fix,
    });
  return passed(
    `pages of ${page} may connect${origin === '*' ? ' (as all may)' : ''}, ${credentials ? 'with' : 'without'} credentials`,
  );
}

function assessStranger(response: HttpResponse): Finding {
  const { origin, credentials } = allowedBy(response);
  if (origin === stranger && credentials)
    return warned({
      found: 'pages of any origin may connect with credentials',
      cause: 'the server repeats whatever Origin it gets: any site may use the cookies of its users',
      fix: 'name the origins of your own pages; --origin https://… shows whether they get through',
    });
  if (origin === undefined)
    return passed('pages of other origins get nothing; --origin https://… checks one of yours');
  return passed(
    `pages of other origins get Access-Control-Allow-Origin: ${origin}, ${credentials ? 'with' : 'without'} credentials`,
  );
}

/** Which cookies of the server a browser sends for a page of another site. */
export function cookiesSuit(endpoint: Endpoint): Check {
  return {
    name: endpoint.protocol === 'socketio' ? 'cookies' : 'hub-cookies',
    run: async (subject, probes) => {
      const { cookies } = await probes.sessions(endpoint);
      if (cookies.length === 0) return passed('none is set');
      const { pageOrigin, url } = subject;
      const names = list(cookies.map(describe));
      if (pageOrigin !== undefined && isSameSite(pageOrigin, url))
        return passed(`${names}: a page of the same site sends them`);
      const kept = keptAcrossSites(cookies, url.startsWith('https:'));
      if (kept.length > 0)
        return passed(`${names}: pages of other sites send ${list(kept.map(({ name }) => name))}`);
      return acrossSites(names, endpoint, subject, probes);
    },
  };
}

async function acrossSites(
  names: string,
  endpoint: Endpoint,
  { pageOrigin }: Subject,
  probes: Probes,
): Promise<Finding> {
  const { astray } = await probes.sessionsWithoutCookies(endpoint);
  if (astray === 0) return passed(`${names}: pages of other sites send none of them, and need none`);
  const fault = {
    found: `${names}: ${pageOrigin === undefined ? 'pages of other sites send' : `a page of ${pageOrigin} sends`} none of them, and sessions break without`,
    cause: 'browsers send a cookie to another site only with SameSite=None and Secure, over HTTPS',
    fix: 'serve HTTPS and let the proxy add `SameSite=None; Secure` to its cookie (ALB: AWSALBCORS does, by its HTTPS listener); or let these pages use WebSockets alone',
  };
  return pageOrigin === undefined ? warned(fault) : failed(fault);
}

function describe({ name, sameSite, secure }: Cookie): string {
  return `${name} (${sameSite === undefined ? 'no SameSite' : `SameSite=${sameSite}`}${secure ? ', Secure' : ''})`;
}

/** Two labels make a site. Under some suffixes three do, and there this finds one site where browsers see two. */
function isSameSite(one: string, other: string): boolean {
  const site = (text: string) => {
    const { protocol, hostname } = new URL(text);
    return `${protocol}//${/^[\d.:[\]]+$/.test(hostname) ? hostname : hostname.split('.').slice(-2).join('.')}`;
  };
  return site(one) === site(other);
}
