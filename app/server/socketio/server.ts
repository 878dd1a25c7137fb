import type { Server as HttpServer } from 'node:http';
import { Server, type ServerOptions } from 'socket.io';
import { paths, pingIntervalMs } from '../../names.ts';
import { mostWaitingBytes } from '../connections/waiting-bytes.ts';
import type { Environment } from '../environment.ts';
import { largestBody } from '../http/create.ts';
import type { Gate } from '../http/gates.ts';
import { corsOriginOf } from '../http/origin.ts';
import { allowRequest } from './allow-request.ts';
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
    // It would end upgrades of other transports that have written nothing within a second.
    destroyUpgrade: false,
  });
  // Engine.IO answers polling by itself, past Fastify.
  io.engine.on('headers', (headers: Record<string, string>) => {
    headers['X-Content-Type-Options'] = 'nosniff';
  });
  // Those that have entered no hub, too.
  io.engine.on('connection', (connection: Connection) => boundOutbox(connection, mostWaitingBytes));
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
