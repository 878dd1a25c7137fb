import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import { paths, pingIntervalMs } from '../names.ts';
import type { Environment } from './environment.ts';
import { largestBody } from './http/create.ts';
import { allowRequest, type Gate } from './http/gate.ts';
import { secureEngineHeaders } from './http/headers.ts';

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
  });
  secureEngineHeaders(io);
  // Every server has the namespace `/`, and nothing authenticates there.
  io.use((_socket, next) => next(new Error('connect to a hub: /chat, for example')));
  return io;
}

function corsOf(origins: readonly string[]) {
  if (origins.length === 0) return undefined;
  return { origin: origins.includes('*') ? '*' : [...origins], credentials: !origins.includes('*') };
}
