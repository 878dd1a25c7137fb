import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { type Authenticator, createAuthenticator } from './auth/authenticator.ts';
import { Connections } from './connections.ts';
import { drain } from './draining/drain.ts';
import type { Environment } from './environment.ts';
import { serveBans } from './http/bans.ts';
import { clientAddress } from './http/client-address.ts';
import { createHttp } from './http/create.ts';
import { originGate, rateGate, readinessGate } from './http/gates.ts';
import { type Readiness, readinessOf, serveHealth, statusCodeOf } from './http/health.ts';
import { serveMessages } from './http/messages.ts';
import { servePage } from './http/page.ts';
import { serveSession } from './http/session.ts';
import { openAllHubs } from './hubs/all.ts';
import type { OpenHub } from './hubs/open.ts';
import { type Limits, openLimits } from './limits/limits.ts';
import { endPacketFloods } from './limits/packet-flood.ts';
import { serveLivekit } from './livekit/serve.ts';
import type { Metrics } from './metrics/metrics.ts';
import { Observability } from './observability.ts';
import { testPresencePermissions } from './presence/self-test.ts';
import { createBackplaneAdapter } from './redis/adapter.ts';
import { type Backplane, openBackplane } from './redis/backplane.ts';
import { testRoomPermissions } from './rooms/self-test.ts';
import { openSessions, type Sessions } from './sessions/open-sessions.ts';
import { createSocketServer } from './sockets.ts';

/** A running service: what `main.ts` starts, and a signal ends. */
export interface Service {
  /** Where it listens, for example `http://127.0.0.1:3000`. */
  readonly url: string;
  readiness(): Readiness;
  /** Takes no new clients and sends those that it has elsewhere, one after the other. Asked again: the same drain. */
  drain(): Promise<void>;
  /** Drains, and leaves the backplane. */
  stop(): Promise<void>;
}

export async function startService(environment: Environment, log: Logger): Promise<Service> {
  const { deployment, trustedProxyHops, drainSeconds } = environment;
  const observability = new Observability(environment, log);
  const { metrics } = observability;
  const backplane = await openOwnBackplane(environment, log, metrics);
  const { links } = backplane;
  let drained: Promise<void> | undefined;
  const isDraining = () => drained !== undefined;
  const readiness = () =>
    readinessOf(backplane.status, {
      draining: isDraining(),
      servesAlone: environment.backplane === 'preferred',
    });
  const http = await createHttp({ ...environment, log, connectTo: addressesOf(environment) });
  metrics.http.watch(http);
  serveHealth(http, readiness);
  await servePage(http);
  const limits = openLimits({ links, deployment });
  const io = createSocketServer(http.server, environment, [
    readinessGate(() => statusCodeOf(readiness()) === 200, readiness),
    originGate(environment),
    rateGate(limits, trustedProxyHops),
  ]);
  endPacketFloods(io, (request) => {
    log.warn({ address: clientAddress(request, trustedProxyHops) }, 'ended a connection that floods');
  });
  const connections = new Connections(io, metrics.connections);
  if (links) io.adapter(createBackplaneAdapter(links, deployment));
  const opened: OpenHub[] = [];
  const sessions = openSessions({ links, deployment, log, hubs: () => opened });
  // One for hubs and calls: the keys of an identity provider are fetched once.
  const authenticate = createAuthenticator(environment.auth);
  const shared = { environment, backplane, authenticate, connections, sessions, limits, metrics, log };
  const { hubs, close: closeHubs } = await openAllHubs({ io, isDraining, ...shared });
  opened.push(...hubs);
  await observability.open({ io, connections, http: http.server, backplane, hubs, readiness });
  await serveApi(http, environment, { hubs, authenticate, sessions, limits, log });
  const startDrain = () => {
    if (drained) return drained;
    drained = drain({ connections, seconds: drainSeconds });
    observability.drainStarted();
    return drained;
  };
  const url = await http.listen({ port: environment.port, host: environment.host });
  return {
    url,
    readiness,
    drain: startDrain,
    stop: async () => {
      await startDrain();
      await io.close();
      await http.close();
      await closeHubs();
      sessions.close();
      limits.close();
      await observability.close();
      await backplane.close();
    },
  };
}

function openOwnBackplane(
  { redis, deployment, instanceId }: Environment,
  log: Logger,
  metrics: Metrics,
): Promise<Backplane> {
  return openBackplane({
    sources: redis,
    deployment,
    instance: instanceId,
    log,
    observer: metrics.backplane,
    selfTest: async (connection) => {
      await testRoomPermissions(connection, deployment, instanceId);
      await testPresencePermissions(connection, deployment, instanceId);
    },
  });
}

interface Shared {
  readonly hubs: readonly OpenHub[];
  readonly authenticate: Authenticator | undefined;
  readonly sessions: Sessions;
  readonly limits: Limits;
  readonly log: Logger;
}

/** Where the page connects beside its own origin: to LiveKit, by WebSocket and HTTP. */
function addressesOf({ livekit }: Environment): string[] {
  if (!livekit) return [];
  const { protocol, host } = new URL(livekit.url);
  return [`${protocol}//${host}`, `${protocol === 'wss:' ? 'https' : 'http'}://${host}`];
}

async function serveApi(http: FastifyInstance, environment: Environment, shared: Shared): Promise<void> {
  const { hubs, authenticate, sessions, limits, log } = shared;
  const { serviceTokens } = environment;
  const rooms = new Map(hubs.map((hub) => [hub.name, hub.rooms]));
  serveMessages(http, { hubs: rooms, serviceTokens });
  serveBans(http, { hubs: rooms, serviceTokens, sessions });
  serveSession(http, {
    ...environment,
    limit: (address) => limits.session(address),
    isRevoked: (identity) => sessions.revocations.isRevoked(identity),
  });
  await serveLivekit(http, {
    ...environment,
    access: environment.livekit,
    authenticate,
    hubs: rooms,
    sessions,
    limits,
    log,
  });
}
