import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { type Authenticator, createAuthenticator } from './auth/authenticator.ts';
import { openBridges } from './bridges/open-bridges.ts';
import { type Denials, openDenials } from './deny-list/open-denials.ts';
import { testDenyListPermissions } from './deny-list/self-test.ts';
import type { Environment } from './environment.ts';
import { serveBans } from './http/bans.ts';
import { createHttp, servePage } from './http/create.ts';
import { type Readiness, readinessOf, serveHealth } from './http/health.ts';
import { serveMessages } from './http/messages.ts';
import type { OriginRules } from './http/origin.ts';
import { ProxyWatch } from './http/proxy-watch.ts';
import { serveSession } from './http/session.ts';
import type { OpenHub } from './hubs/open.ts';
import { openAllHubs } from './hubs/shipped/all.ts';
import { InstanceRegistry } from './instances/instance-registry.ts';
import { shareDuty } from './leases/duty.ts';
import { type Limits, openLimits } from './limits/limits.ts';
import { serveLiveKit } from './livekit/serve.ts';
import type { Metrics } from './metrics/metrics.ts';
import { Observability } from './observability.ts';
import { testPresencePermissions } from './presence/self-test.ts';
import { endStalledConnections } from './process/stall-watch.ts';
import { type Backplane, openBackplane } from './redis/backplane.ts';
import { testSubscriptionPermissions } from './redis/permissions.ts';
import { testRoomPermissions } from './rooms/store/self-test.ts';
import { testAdapterPermissions } from './socketio/adapter/self-test.ts';
import { openTransports, type Transports } from './transports.ts';

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
  const { deployment, instanceId: instance, trustedProxyHops, drainSeconds, port, host } = environment;
  const observability = new Observability(environment, log);
  const { metrics } = observability;
  const backplane = await openOwnBackplane(environment, log, metrics);
  const { links } = backplane;
  let transports: Transports | undefined;
  let drained: Promise<void> | undefined;
  const isDraining = () => drained !== undefined;
  const servesAlone = environment.backplane === 'preferred';
  const opened: OpenHub[] = [];
  const denials = openDenials({ links, deployment, servesAlone, log, hubs: () => opened });
  const readiness = () =>
    readinessOf(backplane.status, { draining: isDraining(), servesAlone, knowsDenials: denials.isKnown() });
  const http = await createHttp({ ...environment, log, connectTo: addressesOf(environment) });
  metrics.http.watch(http);
  serveHealth(http, readiness, () => backplane.shardCounts);
  await servePage(http);
  const limits = openLimits({ links, deployment });
  const proxies = new ProxyWatch({ trustedProxyHops, log });
  const origins: OriginRules = { ...environment, onRefused: (request) => proxies.originRefused(request) };
  // One for hubs and calls: the keys of an identity provider are fetched once.
  const authenticate = createAuthenticator(environment.auth, log);
  const own = () => ({
    instance,
    connections: transports?.count ?? 0,
    draining: isDraining(),
    shards: backplane.shardCounts,
  });
  const relayed = () => transports?.relay?.count ?? 0;
  const instances = new InstanceRegistry({ links, deployment, own, relayed });
  const shared = { environment, backplane, limits, isDraining, instances, log };
  const { hubs, close: closeHubs } = await openAllHubs({ ...shared, denials, metrics });
  opened.push(...hubs);
  const clients = await openTransports(http, {
    ...shared,
    ...{ hubs, authenticate, origins, proxies, readiness },
    admit: (identity) => denials.revocations.admit(identity),
    metrics: metrics.connections,
  });
  transports = clients;
  const bridges = await openBridges({ environment, hubs, backplane, log });
  await observability.open({
    connections: clients,
    backplane,
    hubs,
    readiness,
    relay: clients.relay,
    instances,
  });
  await serveApi(http, environment, { links, hubs, authenticate, origins, denials, limits, log });
  const startDrain = () => {
    if (drained) return drained;
    drained = clients.drain(drainSeconds);
    observability.drainStarted();
    return drained;
  };
  // WebSockets are ended by the rooms.
  const endStallWatch = endStalledConnections(http.server);
  const url = await http.listen({ port, host });
  return {
    url,
    readiness,
    drain: startDrain,
    stop: async () => {
      await startDrain();
      // Whoever was sent away is not cut.
      await instances.announce();
      endStallWatch();
      await clients.close();
      await http.close();
      await bridges.close();
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
function addressesOf({ liveKit }: Environment): string[] {
  if (!liveKit) return [];
  const { protocol, host } = new URL(liveKit.url);
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
  await serveLiveKit(http, {
    ...origins,
    access: environment.liveKit,
    authenticate,
    hubs: rooms,
    denials,
    limits,
    log,
    watch: { isOnDuty: shareDuty({ links, deployment, instance, name: 'calls', lastsMs: 40_000 }) },
  });
}
