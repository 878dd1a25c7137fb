import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server, type ServerOptions } from 'socket.io';
import { paths, pingIntervalMs } from '../../names.ts';
import { maxWaitingBytes } from '../connections/waiting-bytes.ts';
import type { Environment } from '../environment.ts';
import { largestBody } from '../http/create.ts';
import type { Gate, HandshakeRefusal } from '../http/gates.ts';
import { corsOriginOf } from '../http/origin.ts';
import { BatchingWebSocketServer } from './engine/batching-websocket.ts';
import type { Connection } from './engine/internals.ts';
import { boundOutbox } from './engine/slow-consumer.ts';

/** A client sends its answer to the last ping within this time, or is gone. Socket.IO's own default. */
const pingTimeoutMs = 20_000;
/** A connection that has entered no hub after so long is nobody's; a slow network takes a few seconds. */
const connectTimeoutMs = 20_000;

/** The Socket.IO server. @param gates look at each handshake before anything is kept of it */
export function createSocketServer(
  http: HttpServer,
  { corsOrigins }: Pick<Environment, 'corsOrigins'>,
  gates: readonly Gate[],
): Server {
  const io = new Server(http, {
    path: paths.socketIo,
    serveClient: false,
    pingInterval: pingIntervalMs,
    pingTimeout: pingTimeoutMs,
    connectTimeout: connectTimeoutMs,
    maxHttpBufferSize: largestBody,
    perMessageDeflate: false,
    cors: corsOf(corsOrigins),
    allowRequest: allowRequest(gates),
    wsEngine: BatchingWebSocketServer,
    // It would end upgrades of other transports that have written nothing within a second.
    destroyUpgrade: false,
  });
  // Engine.IO answers polling by itself, past Fastify.
  io.engine.on('headers', (headers: Record<string, string>) => {
    headers['X-Content-Type-Options'] = 'nosniff';
  });
  // Those that have entered no hub, too.
  io.engine.on('connection', (connection: Connection) => boundOutbox(connection, maxWaitingBytes));
  return io;
}

/** What polling answers, by the same rule as `originGate`: a browser asks it of each request. */
function corsOf(origins: readonly string[]): ServerOptions['cors'] {
  if (origins.length === 0) return undefined;
  return {
    origin: (origin, answer) => answer(null, corsOriginOf(origin, origins) ?? false),
    credentials: !origins.includes('*'),
  };
}

type Decide = (message: string | null, allowed: boolean) => void;

const reasons = { 403: 'Forbidden', 429: 'Too Many Requests', 503: 'Service Unavailable' } as const;

/** Socket.IO's `allowRequest` of these gates, the first that refuses speaks. */
export function allowRequest(gates: readonly Gate[]): (request: IncomingMessage, decide: Decide) => void {
  return (request, decide) => {
    for (const gate of gates) {
      const refusal = gate(request);
      if (!refusal) continue;
      answer(request, refusal);
      return decide(refusal.message, false);
    }
    decide(null, true);
  };
}

/**
 * Engine.IO knows two answers, 403 and, to an upgrade, 400 in words; it adds neither where one was given. For
 * polling it keeps the response on the request.
 */
function answer(
  request: IncomingMessage & { readonly res?: ServerResponse },
  refusal: HandshakeRefusal,
): void {
  const { status, code, message, retryAfterSeconds } = refusal;
  const body = JSON.stringify({ error: { code, message } });
  const headers: Record<string, string> = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }),
  };
  if (request.headers.upgrade === undefined && request.res) {
    request.res.writeHead(status, headers).end(body);
    return;
  }
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const socket = request.socket as Socket;
  socket.on('error', () => undefined);
  socket.end([`HTTP/1.1 ${status} ${reasons[status]}`, ...lines, '', body].join('\r\n'));
}
