import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Relay } from './relay.ts';

/** Engine.IO takes a query that was read already, as it does from Connect. */
interface EngineRequest extends IncomingMessage {
  _query?: Readonly<Record<string, string>>;
}

/** As much of an Engine.IO server as is asked; `attach` calls its handlers by these names. */
interface EngineServer {
  generateId(request: EngineRequest): string | Promise<string>;
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** What can become of a request: another instance answers it, or the engine here. */
interface Ways {
  readonly forward: (instance: string) => Promise<boolean>;
  readonly answer: () => void;
}

/**
 * Engine.IO's sessions can be asked for at any instance: their ids say who holds them. What has no session yet, and
 * what no other instance can answer, is the engine's own, which knows how to refuse it. A fault on the way ends the
 * request, and nothing else.
 */
export function relayEngine(engine: object, relay: Relay): void {
  const server = engine as EngineServer;
  const { generateId, handleRequest, handleUpgrade } = server;
  // Nothing more is asked of a session that began as a WebSocket: it is that connection.
  server.generateId = (request) =>
    request._query?.transport === 'websocket' ? generateId.call(server, request) : relay.ids.create();
  const serve = (request: IncomingMessage, stream: ServerResponse | Duplex, { forward, answer }: Ways) => {
    const id = sessionElsewhere(request, relay);
    if (id === undefined) return answer();
    relayed(id, relay, forward)
      .then((isRelayed) => !isRelayed && !stream.destroyed && answer())
      .catch(() => stream.destroy());
  };
  server.handleRequest = (request, response) =>
    serve(request, response, {
      forward: (instance) => relay.forward(request, response, instance),
      answer: () => handleRequest.call(server, request, response),
    });
  server.handleUpgrade = (request, socket, head) =>
    serve(request, socket, {
      forward: (instance) => relay.forwardUpgrade(request, socket, head, instance),
      answer: () => handleUpgrade.call(server, request, socket, head),
    });
}

/** A preflight is of no session, whatever its URL says. */
function sessionElsewhere(request: EngineRequest, relay: Relay): string | undefined {
  request._query = queryOf(request.url ?? '');
  if (request.method === 'OPTIONS') return undefined;
  const { sid } = request._query;
  return sid !== undefined && relay.isElsewhere(sid, request) ? sid : undefined;
}

/** The last one of a name counts, as for Engine.IO, which would read the whole URL for it. */
function queryOf(url: string): Readonly<Record<string, string>> {
  const [address = ''] = url.split('#', 1);
  const start = address.indexOf('?');
  const query: Record<string, string> = Object.create(null);
  if (start < 0) return query;
  for (const [name, value] of new URLSearchParams(address.slice(start))) query[name] = value;
  return query;
}

async function relayed(id: string, { ids }: Relay, forward: Ways['forward']): Promise<boolean> {
  const instance = await ids.instanceOf(id);
  return instance !== undefined && forward(instance);
}
