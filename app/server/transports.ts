import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { paths } from '../names.ts';
import type { Authenticator } from './auth/authenticator.ts';
import type { Identity } from './auth/identity.ts';
import { ConnectionLimit } from './connections/connection-limit.ts';
import type { Environment } from './environment.ts';
import { endConnections, largestBody, refuseOtherUpgrades } from './http/create.ts';
import { type Gate, originGate, proxyGate, rateGate, readinessGate } from './http/gates.ts';
import { type Readiness, statusCodeOf } from './http/health.ts';
import type { OriginRules } from './http/origin.ts';
import type { ProxyWatch } from './http/proxy-watch.ts';
import type { OpenHub } from './hubs/open.ts';
import type { InstanceRegistry } from './instances/instance-registry.ts';
import type { Limits } from './limits/limits.ts';
import type { ConnectionMetrics } from './metrics/connection-metrics.ts';
import { clientAddress } from './net/client-address.ts';
import { type DrainedConnection, drain } from './process/drain.ts';
import { connectedRedis } from './redis/access.ts';
import type { Backplane } from './redis/backplane.ts';
import { Relay } from './relay/relay.ts';
import { relayEngine } from './relay/relay-engine.ts';
import { mountSignalR } from './signalr/mount.ts';
import { createBackplaneAdapter, SingleInstanceAdapter } from './socketio/adapter/adapter.ts';
import { Connections, watchHandshakes } from './socketio/engine/connections.ts';
import { HubEntries } from './socketio/engine/hub-entries.ts';
import { endPacketFloods } from './socketio/engine/packet-flood.ts';
import { serveHubs } from './socketio/serve-hub.ts';
import { createSocketServer } from './socketio/server.ts';

export interface TransportsOptions {
  readonly environment: Environment;
  readonly backplane: Backplane;
  readonly hubs: readonly OpenHub[];
  readonly instances: InstanceRegistry;
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
  /** One more look at who was authenticated. @throws AuthenticationError */
  readonly admit: (identity: Identity) => void;
  readonly origins: OriginRules;
  readonly proxies: ProxyWatch;
  readonly limits: Limits;
  readonly metrics: ConnectionMetrics;
  readonly readiness: () => Readiness;
  readonly isDraining: () => boolean;
  readonly log: Logger;
}

type CountedConnections = Iterable<{ readonly transport: { readonly name: string } }> & {
  readonly count: number;
};

/** Clients' connections to this instance, by every transport. */
export interface Transports extends CountedConnections {
  /** Undefined in single-instance mode. */
  readonly relay: Relay | undefined;
  /** Sends all clients elsewhere, over so many seconds. */
  drain(seconds: number): Promise<void>;
  /** Ends all connections, and those of the HTTP server with them. */
  close(): Promise<void>;
}

/** Serves hubs on an HTTP server over Socket.IO and SignalR, also to clients that reached another instance. */
export async function openTransports(http: FastifyInstance, options: TransportsOptions): Promise<Transports> {
  const { server } = http;
  const { metrics } = options;
  const connectionLimit = new ConnectionLimit();
  const socketIo = openSocketIo(server, options, connectionLimit);
  const relay = await openRelay(http, options);
  if (relay) relayEngine(socketIo.io.engine, relay);
  const signalR = openSignalR(server, options, { connectionLimit, relay });
  refuseOtherUpgrades(server, {
    isServed: (request) => request.url?.startsWith(paths.socketIo) || signalR.server.serves(request),
    onRefused: () => metrics.handshakeFailed('websocket', 'wrong_path'),
  });
  const all: CountedConnections[] = [socketIo.connections, signalR.server];
  return {
    relay,
    get count() {
      return all.reduce((sum, { count }) => sum + count, 0);
    },
    *[Symbol.iterator]() {
      for (const connections of all) yield* connections;
    },
    drain: async (seconds) => {
      const drained = [socketIo.connections, signalR.server, ...(relay ? [relay] : [])];
      await Promise.all(drained.map((connections) => drain<DrainedConnection>({ connections, seconds })));
    },
    close: async () => {
      // Socket.IO waits for all connections of clients to end, and those that are relayed are the relay's to close.
      signalR.close();
      const closed = endConnections(server);
      await Promise.all([socketIo.io.close(), relay?.close()]);
      closed();
      socketIo.endHubs();
    },
  };
}

function openSocketIo(server: HttpServer, options: TransportsOptions, connectionLimit: ConnectionLimit) {
  const { environment, backplane, hubs, authenticate, admit, origins, metrics, readiness, log } = options;
  const { deployment, trustedProxyHops } = environment;
  const isReady = () => statusCodeOf(readiness()) === 200;
  const io = createSocketServer(server, environment, [
    readinessGate(isReady, readiness),
    originGate(origins),
    ...gatesOf(options),
  ]);
  const addressOf = addressBehind(trustedProxyHops);
  endPacketFloods(io, {
    onFlood: (request) => log.warn({ address: addressOf(request) }, 'ended a connection that floods'),
    isTooMuch: (request, bytes) => isTooMuch(options, addressOf(request), bytes),
  });
  const connections = new Connections(io, metrics);
  watchHandshakes(io, metrics);
  const { links, foreignPayload } = backplane;
  io.adapter(
    links ? createBackplaneAdapter({ links, deployment, log, foreignPayload }) : SingleInstanceAdapter,
  );
  const entries = new HubEntries(connectionLimit);
  const endHubs = serveHubs(io, hubs, { authenticate, admit, entries, trustedProxyHops });
  return { io, connections, endHubs };
}

interface SharedByTransports {
  readonly connectionLimit: ConnectionLimit;
  readonly relay: Relay | undefined;
}

function openSignalR(
  server: HttpServer,
  options: TransportsOptions,
  { connectionLimit, relay }: SharedByTransports,
) {
  const { environment, hubs, instances, authenticate, admit, origins } = options;
  const { metrics, readiness, isDraining, log } = options;
  const { deployment, instanceId: instance, trustedProxyHops } = environment;
  const isReady = () => statusCodeOf(readiness()) === 200;
  return mountSignalR(server, {
    deployment,
    instance,
    hubs,
    relay,
    authenticate,
    admit,
    origins,
    addressOf: addressBehind(trustedProxyHops),
    isDraining,
    connectionLimit,
    isTooMuch: (address, bytes) => isTooMuch(options, address, bytes),
    // One that leaves goes on negotiating, for those that stay.
    gates: [readinessGate(() => isReady() || isDraining(), readiness), ...gatesOf(options)],
    elsewhere: () => instances.another(),
    listener: metrics,
    log,
  });
}

/** What looks at each handshake, whatever its transport. */
function gatesOf({ environment, proxies, limits }: TransportsOptions): Gate[] {
  return [proxyGate(proxies), rateGate(limits.handshake, environment.trustedProxyHops)];
}

const addressBehind = (trustedProxyHops: number) => (request: IncomingMessage) =>
  clientAddress(request, trustedProxyHops);

const isTooMuch = ({ limits }: TransportsOptions, address: string, bytes: number) =>
  limits.received(address, bytes) !== undefined;

/** Undefined in single-instance mode: there is nobody to relay to. */
async function openRelay(
  http: FastifyInstance,
  { environment, backplane: { links }, instances }: TransportsOptions,
): Promise<Relay | undefined> {
  if (!links) return undefined;
  const { deployment, instanceId, host, relay: own } = environment;
  const relay = new Relay({
    deployment,
    instance: instanceId,
    redis: (key) => connectedRedis(links, key),
    server: http.server,
    // Instances share the network by which they reach Redis, whatever else this machine is in.
    host: () => own.host ?? links.localAddress,
    peers: () => instances.list().map(({ instance }) => instance),
    listen: { host, port: own.port },
    largestBody,
  });
  await relay.open();
  links.onReturn(() => void relay.announce());
  return relay;
}
