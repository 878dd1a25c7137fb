import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Relay } from './relay.ts';

/** As much of an Engine.IO server as is asked; `attach` calls its handlers by these names. */
interface EngineServer {
  generateId(request: IncomingMessage): string | Promise<string>;
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
  const [handleRequest, handleUpgrade] = [server.handleRequest, server.handleUpgrade];
  server.generateId = () => relay.ids.create();
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
function sessionElsewhere(request: IncomingMessage, relay: Relay): string | undefined {
  if (request.method === 'OPTIONS') return undefined;
  const id = new URLSearchParams(request.url?.split('?', 2)[1]).get('sid');
  return id !== null && relay.isElsewhere(id, request) ? id : undefined;
}

async function relayed(id: string, { ids }: Relay, forward: Ways['forward']): Promise<boolean> {
  const instance = await ids.instanceOf(id);
  return instance !== undefined && forward(instance);
}
