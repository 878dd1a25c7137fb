import { paths } from '../../../app/names.ts';
import { CannotVerifyError } from '../errors.ts';
import type { Patience } from '../wait.ts';
import type { HubProbe } from './hub-probe.ts';
import { type HttpResponse, type RequestOptions, sendRequest } from './request.ts';

/** The answers of a server that is not the service. */
export interface OtherServer {
  /** To `/health/ready`. */
  readonly ready: HttpResponse;
  readonly greeting: HubProbe;
  readonly patience: Patience;
}

/** What the server answers to the requests that identify servers; undefined: no answer. */
interface Answers extends Pick<OtherServer, 'ready' | 'greeting'> {
  readonly url: string;
  /** To `/`. */
  readonly root: HttpResponse | undefined;
  /** To a handshake of Engine.IO. */
  readonly engine: HttpResponse | undefined;
  /** To SignalR's negotiation, at paths that hubs are often given. */
  readonly negotiations: readonly (HttpResponse | undefined)[];
  /** To LiveKit's look at a token. */
  readonly liveKit: HttpResponse | undefined;
}

/** `what` ends a sentence that begins with "answers"; `advice` is one. */
interface Kind {
  readonly what: string;
  readonly advice: string;
}

const signalRPaths = ['/chathub', '/hub', '/hubs/chat', '/chat', '/signalr'];

/** Sends requests whose answers identify servers. @returns an error that names what answers, and says what to do */
export async function describeOtherServer(
  url: string,
  { ready, greeting, patience: { timeoutMs } }: OtherServer,
): Promise<CannotVerifyError> {
  const ask = (path: string, options: RequestOptions = {}) =>
    sendRequest(path, url, { ...options, timeoutMs }).catch(() => undefined);
  const [root, engine, liveKit, ...negotiations] = await Promise.all([
    ask('/'),
    ask(`${paths.socketIo}?EIO=4&transport=polling`),
    ask('/rtc/validate'),
    ...signalRPaths.map((path) => ask(`${path}/negotiate?negotiateVersion=1`, { method: 'POST' })),
  ]);
  const answers = { url, ready, greeting, root, engine, liveKit, negotiations };
  const { what, advice } =
    redirection(answers) ?? socketIo(answers) ?? otherProtocol(answers) ?? webServer(answers);
  return new CannotVerifyError(
    'not-ours',
    `It is not this service that answers at ${url}, but ${what}. ${advice}`,
    url,
  );
}

function redirection({ url, ready: { status, headers } }: Answers): Kind | undefined {
  const { location } = headers;
  if (status < 300 || status >= 400 || location === undefined || !URL.canParse(location, url))
    return undefined;
  // Without its query, which may carry a ticket.
  const { origin, pathname } = new URL(location, url);
  const what = `a redirection (HTTP ${status}) to ${origin}${pathname}`;
  if (origin !== url) return { what, advice: `Give --url ${origin} if it is that one.` };
  return {
    what,
    advice: `A login or a proxy's rule stands in front: let it pass /health/, /api/ and ${paths.socketIo}.`,
  };
}

const giveOwn = "Give the URL of this project's service: `npm start` runs it on this machine.";

function socketIo({ greeting, engine }: Answers): Kind | undefined {
  const isEngine = engine?.status === 200 && engine.body.startsWith('0{');
  if (engine?.status === 200 && /^\d+:0\{/.test(engine.body)) {
    return { what: `a Socket.IO server of version 2${served(engine)}`, advice: giveOwn };
  }
  if (greeting.outcome === 'no such hub') {
    return { what: `a plain Socket.IO server without the hub /chat${served(engine)}`, advice: giveOwn };
  }
  if (greeting.outcome === 'rejected') {
    return { what: `a Socket.IO server that rejects clients of /chat: ${greeting.words}`, advice: giveOwn };
  }
  if (greeting.outcome === 'accepted') {
    const what = `a Socket.IO server whose namespace /chat sends no welcome${served(engine)}`;
    return { what, advice: `It may be an older version of this service. ${giveOwn}` };
  }
  if (!isEngine) return undefined;
  const what = `a Socket.IO server that lets no client into /chat: ${greeting.words ?? 'no response'}`;
  return { what, advice: giveOwn };
}

function otherProtocol({ ready, root, negotiations, liveKit }: Answers): Kind | undefined {
  const hub = negotiations.findIndex((response) => response?.status === 200 && isNegotiation(response.body));
  if (hub >= 0) {
    return { what: `a SignalR server (its hub is at ${signalRPaths[hub]})${served(ready)}`, advice: giveOwn };
  }
  if (root?.status === 200 && root.body.trim() === 'OK' && liveKit?.status === 401) {
    return { what: 'a LiveKit server', advice: giveOwn };
  }
  if (/plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server/i.test(ready.body)) {
    return { what: 'a port for HTTPS', advice: 'Give the URL with https://.' };
  }
  return undefined;
}

/** ASP.NET Core's, and the one of ASP.NET before it. */
function isNegotiation(body: string): boolean {
  return /"(connectionToken|availableTransports|ConnectionToken|ProtocolVersion)"\s*:/.test(body);
}

const reachable = `Check the host name and the port, and that the proxy passes /health/, /api/ and ${paths.socketIo} on to the service. Below a path of another site it can't be served: give it a host name of its own.`;

function webServer({ ready, root }: Answers): Kind {
  const { status } = ready;
  const page = titleOf(root ?? ready);
  const titled = page === undefined ? '' : `, with a page titled “${page}”`;
  const what = `a web server${served(ready)} that answers HTTP ${status}${titled}`;
  if (/^welcome to nginx|default page|it works/i.test(page ?? '')) {
    return { what, advice: `That is the server's default page: it has no rule for this host. ${reachable}` };
  }
  if (status === 401 || status === 403 || status === 407) {
    return { what, advice: `A login or a firewall stands in front. ${reachable}` };
  }
  if (status >= 500) return { what, advice: `It fails by itself: its log says why. ${reachable}` };
  return { what, advice: reachable };
}

function served(response: HttpResponse | undefined): string {
  const { server, 'x-powered-by': powered } = response?.headers ?? {};
  const name = server ?? (typeof powered === 'string' ? powered : undefined);
  return name === undefined ? '' : ` (${name.slice(0, 60)})`;
}

function titleOf({ body }: HttpResponse): string | undefined {
  const title = /<title[^>]*>([^<]{1,80})/i.exec(body)?.[1]?.trim();
  return title || undefined;
}
