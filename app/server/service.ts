import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import { Server } from 'socket.io';
import { paths, pingIntervalMs } from '../names.ts';
import { createAuthenticator } from './auth/authenticator.ts';
import { closeExpired } from './auth/expiry.ts';
import { Connections } from './connections.ts';
import type { Environment } from './environment.ts';
import { type Readiness, readinessOf, serveHealth, statusCodeOf } from './http/health.ts';
import { servePage } from './http/page.ts';
import { backtests } from './hubs/backtests.ts';
import { bots } from './hubs/bots.ts';
import { chat } from './hubs/chat.ts';
import { type HubContext, openHub } from './hubs/open.ts';
import { createBackplaneAdapter } from './redis/adapter.ts';
import { type Backplane, openBackplane } from './redis/backplane.ts';
import { testRoomPermissions } from './rooms/self-test.ts';
import { openMemoryStore, openRedisStore, type RoomStore } from './rooms/store.ts';
import { openSwitchingStore } from './rooms/switching-store.ts';

/** A running service: what `main.ts` starts, and a signal ends. */
export interface Service {
  /** Where it listens, for example `http://127.0.0.1:3000`. */
  readonly url: string;
  readiness(): Readiness;
  /** Takes no new clients, lets go of those it has, leaves the backplane. */
  stop(): Promise<void>;
}

/** A client sends its answer to the last ping within this time, or is gone. Socket.IO's own default. */
const pingTimeoutMs = 20_000;
const largestMessageBytes = 100_000;

export async function startService(environment: Environment, log: Logger): Promise<Service> {
  const backplane = await openOwnBackplane(environment, log);
  let draining = false;
  const readiness = () =>
    readinessOf(backplane.status, { draining, servesAlone: environment.backplane === 'preferred' });
  const http = createHttp(environment, log);
  serveHealth(http, readiness);
  await servePage(http);
  const io = createSocketServer(http, environment, readiness);
  const connections = new Connections(io);
  if (backplane.links) io.adapter(createBackplaneAdapter(backplane.links, environment.deployment));
  const closeHubs = openHubs(io, environment, backplane, log);
  const url = await http.listen({ port: environment.port, host: environment.host });
  return {
    url,
    readiness,
    stop: async () => {
      draining = true;
      connections.closeTransports();
      await io.close();
      await http.close();
      closeHubs();
      await backplane.close();
    },
  };
}

function openOwnBackplane({ redis, deployment, instanceId }: Environment, log: Logger): Promise<Backplane> {
  return openBackplane({
    sources: redis,
    deployment,
    instance: instanceId,
    log,
    selfTest: (connection) => testRoomPermissions(connection, deployment, instanceId),
  });
}

function createHttp(environment: Environment, log: Logger): FastifyInstance {
  return Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    // The load balancer must be the one that closes an idle connection: else it sends into a closed one, a 502.
    keepAliveTimeout: (environment.idleTimeoutSeconds + 5) * 1000,
  }) as unknown as FastifyInstance;
}

function createSocketServer(
  http: FastifyInstance,
  environment: Environment,
  readiness: () => Readiness,
): Server {
  return new Server(http.server, {
    path: paths.socketIo,
    serveClient: false,
    pingInterval: pingIntervalMs,
    pingTimeout: pingTimeoutMs,
    maxHttpBufferSize: largestMessageBytes,
    perMessageDeflate: false,
    cors: corsOf(environment.corsOrigins),
    allowRequest: (_request, decide) => {
      const takesClients = statusCodeOf(readiness()) === 200;
      decide(takesClients ? null : `the instance is ${readiness()}`, takesClients);
    },
  });
}

function corsOf(origins: readonly string[]) {
  if (origins.length === 0) return undefined;
  return { origin: origins.includes('*') ? '*' : [...origins], credentials: !origins.includes('*') };
}

/** @returns closes them */
function openHubs(io: Server, environment: Environment, backplane: Backplane, log: Logger): () => void {
  const context: HubContext = {
    io,
    backplane,
    log,
    store: storeOf(backplane, environment),
    instance: environment.instanceId,
    authenticate: createAuthenticator(environment.auth),
    admit: () => undefined,
  };
  const hubs = [chat, bots, backtests].map((definition) => openHub(definition, context));
  const endExpiry = closeExpired(hubs.map(({ namespace }) => namespace));
  return () => {
    endExpiry();
    for (const hub of hubs) hub.close();
  };
}

function storeOf(backplane: Backplane, { deployment, backplane: need }: Environment): RoomStore {
  const { links } = backplane;
  if (!links) return openMemoryStore();
  const shared = openRedisStore({ links, deployment });
  if (need === 'required') return shared;
  return openSwitchingStore({
    shared,
    alone: openMemoryStore(),
    available: () => links.available(),
    onChange: (listener) => backplane.on('status', listener),
  });
}
