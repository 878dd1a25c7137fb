import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { paths } from '../names.ts';
import { type Authenticator, createAuthenticator } from './auth/authenticator.ts';
import type { Identity } from './auth/identity.ts';
import { ConnectionLimit } from './connections/connection-limit.ts';
import { type Denials, openDenials } from './deny-list/open-denials.ts';
import { testDenyListPermissions } from './deny-list/self-test.ts';
import type { Environment } from './environment.ts';
import { serveBans } from './http/bans.ts';
import { createHttp, endConnections, largestBody } from './http/create.ts';
import { originGate, proxyGate, rateGate, readinessGate } from './http/gates.ts';
import { type Readiness, readinessOf, serveHealth, statusCodeOf } from './http/health.ts';
import { serveMessages } from './http/messages.ts';
import type { OriginRules } from './http/origin.ts';
import { servePage } from './http/page.ts';
import { ProxyWatch } from './http/proxy-watch.ts';
import { serveSession } from './http/session.ts';
import { refuseOtherUpgrades } from './http/upgrades.ts';
import { openAllHubs } from './hubs/all.ts';
import type { OpenHub } from './hubs/open.ts';
import { InstanceRegistry } from './instances/instance-registry.ts';
import { type Limits, openLimits } from './limits/limits.ts';
import { shareDuty } from './livekit/duty.ts';
import { serveLivekit } from './livekit/serve.ts';
import type { Metrics } from './metrics/metrics.ts';
import { clientAddress } from './net/client-address.ts';
import { Observability } from './observability.ts';
import { testPresencePermissions } from './presence/self-test.ts';
import { type DrainedConnection, drain } from './process/drain.ts';
import { endStalledConnections } from './process/stalled-connections.ts';
import { type Backplane, openBackplane } from './redis/backplane.ts';
import { Relay } from './relay/relay.ts';
import { relayEngine } from './relay/relay-engine.ts';
import { testRoomPermissions } from './rooms/store/self-test.ts';
import { mountSignalR } from './signalr/mount.ts';
import { createBackplaneAdapter, SingleInstanceAdapter } from './socketio/adapter/adapter.ts';
import { testAdapterPermissions, testSubscriptionPermissions } from './socketio/adapter/self-test.ts';
import { Connections, watchHandshakes } from './socketio/engine/connections.ts';
import { HubEntries } from './socketio/engine/hub-entries.ts';
import { endPacketFloods } from './socketio/engine/packet-flood.ts';
import { serveHub } from './socketio/serve-hub.ts';
import { createSocketServer } from './socketio/server.ts';

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
  const { deployment, instanceId, trustedProxyHops, drainSeconds } = environment;
  const observability = new Observability(environment, log);
  const { metrics } = observability;
  const backplane = await openOwnBackplane(environment, log, metrics);
  const { links } = backplane;
  let drained: Promise<void> | undefined;
  const isDraining = () => drained !== undefined;
  const servesAlone = environment.backplane === 'preferred';
  const opened: OpenHub[] = [];
  const denials = openDenials({ links, deployment, servesAlone, log, hubs: () => opened });
  const readiness = () =>
    readinessOf(backplane.status, { draining: isDraining(), servesAlone, knowsDenials: denials.isKnown() });
  const http = await createHttp({ ...environment, log, connectTo: addressesOf(environment) });
  metrics.http.watch(http);
  serveHealth(http, readiness);
  await servePage(http);
  const limits = openLimits({ links, deployment });
  const proxies = new ProxyWatch({ trustedProxyHops, log });
  const origins: OriginRules = { ...environment, onRefused: (request) => proxies.originRefused(request) };
  const gates = [proxyGate(proxies), rateGate(limits.handshake, trustedProxyHops)];
  const isReady = () => statusCodeOf(readiness()) === 200;
  const io = createSocketServer(http.server, environment, [
    readinessGate(isReady, readiness),
    originGate(origins),
    ...gates,
  ]);
  const addressOf = (request: IncomingMessage) => clientAddress(request, trustedProxyHops);
  const isTooMuch = (address: string, bytes: number) => limits.received(address, bytes) !== undefined;
  endPacketFloods(io, {
    onFlood: (request) => log.warn({ address: addressOf(request) }, 'ended a connection that floods'),
    isTooMuch: (request, bytes) => isTooMuch(addressOf(request), bytes),
  });
  const connections = new Connections(io, metrics.connections);
  watchHandshakes(io, metrics.connections);
  const { foreignPayload } = backplane;
  io.adapter(
    links ? createBackplaneAdapter({ links, deployment, log, foreignPayload }) : SingleInstanceAdapter,
  );
  // One for hubs and calls: the keys of an identity provider are fetched once.
  const authenticate = createAuthenticator(environment.auth, log);
  const shared = { environment, backplane, denials, limits, metrics, log };
  const all = new AllConnections();
  all.add(connections);
  const own = () => ({ instance: instanceId, connections: all.count, draining: isDraining() });
  let relay: Relay | undefined;
  const relayed = () => relay?.count ?? 0;
  const instances = new InstanceRegistry({ links, deployment, own, relayed });
  const { hubs, close: closeHubs } = await openAllHubs({ isDraining, instances, ...shared });
  opened.push(...hubs);
  const connectionLimit = new ConnectionLimit();
  const entries = new HubEntries(connectionLimit);
  const admit = (identity: Identity) => denials.revocations.admit(identity);
  const ends = hubs.map((hub) => serveHub(io, hub, { authenticate, admit, entries, trustedProxyHops }));
  relay = await openRelay(http, environment, backplane);
  if (relay) relayEngine(io.engine, relay);
  const signalr = mountSignalR(http.server, {
    ...{ deployment, instance: instanceId, hubs, relay, authenticate, admit, origins, addressOf, log },
    ...{ isDraining, connectionLimit, isTooMuch },
    // One that leaves goes on negotiating, for those that stay.
    gates: [readinessGate(() => isReady() || isDraining(), readiness), ...gates],
    elsewhere: () => instances.another(),
    listener: metrics.connections,
  });
  all.add(signalr.server);
  refuseOtherUpgrades(http.server, {
    isServed: (request) => request.url?.startsWith(paths.socketIo) || signalr.server.serves(request),
    onRefused: () => metrics.connections.handshakeFailed('websocket', 'wrong_path'),
  });
  await observability.open({ connections: all, backplane, hubs, readiness, relay, instances });
  await serveApi(http, environment, { links, hubs, authenticate, origins, denials, limits, log });
  const startDrain = () => {
    if (drained) return drained;
    const seconds = drainSeconds;
    const drains = [connections, signalr.server, ...(relay ? [relay] : [])].map((each) =>
      drain<DrainedConnection>({ connections: each, seconds }),
    );
    drained = Promise.all(drains).then(() => undefined);
    observability.drainStarted();
    return drained;
  };
  // WebSockets are ended by the rooms.
  const endStallWatch = endStalledConnections(http.server);
  const url = await http.listen({ port: environment.port, host: environment.host });
  return {
    url,
    readiness,
    drain: startDrain,
    stop: async () => {
      await startDrain();
      // Whoever was sent away is not cut.
      await instances.announce();
      endStallWatch();
      // Socket.IO waits for all connections of clients to end, and those that are relayed are the relay's to close.
      signalr.close();
      const closed = endConnections(http.server);
      await Promise.all([io.close(), relay?.close()]);
      closed();
      await http.close();
      for (const end of ends) end();
      await closeHubs();
      instances.close();
      denials.close();
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
      await testDenyListPermissions(connection, deployment, instanceId);
      await testAdapterPermissions(connection, deployment);
    },
    subscriptionSelfTest: (connection) => testSubscriptionPermissions(connection, deployment),
  });
}

type CountedConnections = Iterable<{ readonly transport: { readonly name: string } }> & {
  readonly count: number;
};

/** Clients' connections to this instance, by every transport. */
class AllConnections {
  readonly #all: CountedConnections[] = [];

  add(connections: CountedConnections): void {
    this.#all.push(connections);
  }

  get count(): number {
    return this.#all.reduce((sum, { count }) => sum + count, 0);
  }

  *[Symbol.iterator]() {
    for (const connections of this.#all) yield* connections;
  }
}

/** Undefined in single-instance mode: there is nobody to relay to. */
async function openRelay(
  http: FastifyInstance,
  { deployment, instanceId, host, relay: { host: ownHost, port } }: Environment,
  { links }: Backplane,
): Promise<Relay | undefined> {
  if (!links) return undefined;
  const { commands } = links;
  const relay = new Relay({
    deployment,
    instance: instanceId,
    redis: () => commands.connection,
    server: http.server,
    // Instances share the network by which they reach Redis, whatever else this machine is in.
    host: () => ownHost ?? commands.connection?.stream.localAddress,
    listen: { host, port },
    largestBody,
  });
  await relay.open();
  commands.on('up', () => void relay.announce());
  return relay;
}

interface Shared {
  readonly links: Backplane['links'];
  readonly hubs: readonly OpenHub[];
  readonly authenticate: Authenticator | undefined;
  readonly origins: OriginRules;
  readonly denials: Denials;
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
  const { links, hubs, authenticate, origins, denials, limits, log } = shared;
  const { serviceTokens, deployment, instanceId: instance } = environment;
  const rooms = new Map(hubs.map((hub) => [hub.name, hub.rooms]));
  await serveMessages(http, { hubs: rooms, serviceTokens });
  serveBans(http, { hubs: rooms, serviceTokens, denials });
  serveSession(http, {
    ...origins,
    auth: environment.auth,
    limit: (address) => limits.session(address),
    admit: (identity) => denials.revocations.admit(identity),
  });
  await serveLivekit(http, {
    ...origins,
    access: environment.livekit,
    authenticate,
    hubs: rooms,
    denials,
    limits,
    log,
    watch: { isOnDuty: shareDuty({ links, deployment, instance, lastsMs: 40_000 }) },
  });
}
