import type { IncomingMessage } from 'node:http';
import type { SignalRHub } from '../hub.ts';

/** What a request asks of a hub. */
export interface HubRequest {
  readonly request: IncomingMessage;
  /** The hub's, in lower case. */
  readonly path: string;
  readonly hub: SignalRHub;
  /** Names in lower case. */
  readonly query: URLSearchParams;
  readonly isNegotiation: boolean;
}

const negotiate = '/negotiate';

/** @param hubs by their paths  @returns undefined for what is asked of no hub */
export function readRequest(
  request: IncomingMessage,
  hubs: ReadonlyMap<string, SignalRHub>,
): HubRequest | undefined {
  const [asked = '', search = ''] = (request.url ?? '').split('?', 2);
  // With a slash at its end it is the same, as for ASP.NET: clients leave one that stands in their URL.
  const path = withoutSlash(asked.toLowerCase());
  const isNegotiation = path.endsWith(negotiate);
  const hubPath = isNegotiation ? path.slice(0, -negotiate.length) : path;
  const hub = hubs.get(hubPath);
  return hub && { request, path: hubPath, hub, query: inLowerCase(search), isNegotiation };
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** A browser can give no header to a WebSocket or an event stream. */
export function tokenOf({ request, query }: HubRequest): string | undefined {
  const bearer = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  return bearer ?? query.get('access_token') ?? undefined;
}

export function wantsEventStream({ headers }: IncomingMessage): boolean {
  return headers.accept?.toLowerCase().includes('text/event-stream') ?? false;
}

function inLowerCase(search: string): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(search)) query.set(name.toLowerCase(), value);
  return query;
}
