import type { Server, Socket } from 'socket.io';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Identity } from '../auth/identity.ts';
import { maxWaitingBytes } from '../connections/waiting-bytes.ts';
import type { HubMember } from '../hubs/member.ts';
import type { OpenHub } from '../hubs/open.ts';
import { clientAddress } from '../net/client-address.ts';
import type { HubEntries } from './engine/hub-entries.ts';
import { authenticateHandshakes, identityOf } from './handshake.ts';
import { type SocketFormat, SocketMember } from './member.ts';
import { serveNamespace } from './namespace.ts';

export interface ServeHubOptions {
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
  /** One more look at who was authenticated. @throws AuthenticationError @default everyone may come in */
  readonly admit?: (identity: Identity) => void;
  /** Shared by all hubs of a server. @default no bounds */
  readonly entries?: HubEntries;
  /** Proxies in front whose `X-Forwarded-For` is believed. @default 0 */
  readonly trustedProxyHops?: number;
}

/**
 * Serves each hub as a namespace. Every server has the namespace `/`; where that is no hub, clients are told so.
 *
 * @returns ends it, for sockets that come from then on
 * @throws Error when two hubs have one namespace
 */
export function serveHubs(io: Server, hubs: readonly OpenHub[], options: ServeHubOptions): () => void {
  const namespaces = new Set(hubs.map(({ namespace }) => namespace));
  if (namespaces.size < hubs.length) throw new Error('two hubs have one namespace: give one of them another');
  if (!namespaces.has('/'))
    io.use((_socket, next) => next(new Error('connect to a hub: /chat, for example')));
  const ends = hubs.map((hub) => serveHub(io, hub, options));
  return () => {
    for (const end of ends) end();
  };
}

/** Serves a hub as a namespace. @returns ends it, for sockets that come from then on */
export function serveHub(io: Server, hub: OpenHub, options: ServeHubOptions): () => void {
  const { authenticate, admit, entries, trustedProxyHops = 0 } = options;
  const namespace = io.of(hub.namespace);
  const mayEnter = (identity: Identity, socket: Socket) => {
    admit?.(identity);
    entries?.admit(identity, socket);
  };
  namespace.use(
    authenticateHandshakes(authenticate, mayEnter, (error, code, { id }) => hub.refused(error, code, id)),
  );
  return serveNamespace<HubSocketMember>({
    namespace,
    fanout: 'direct',
    handlers: hub.handlers,
    events: hub.events,
    maxWaitingBytes,
    slimConnections: true,
    idWindowMs: hub.idWindowMs,
    createMember: (socket, format) => new HubSocketMember(socket, format, trustedProxyHops),
    entered: (member) => hub.entered(member),
    left: (member, reason) => hub.left(member, reason),
    onSlow: () => {
      hub.counters.slowConsumers += 1;
    },
  });
}

/** A socket that was authenticated, as a member of the hub's rooms. */
class HubSocketMember extends SocketMember implements HubMember {
  readonly identity: Identity;
  readonly address: string;

  constructor(socket: Socket, format: SocketFormat, trustedProxyHops: number) {
    const identity = identityOf(socket);
    super(socket, identity.subject, format);
    this.identity = identity;
    const { headers, address: remoteAddress } = socket.handshake;
    // The connection's first request is what it was made by.
    this.address = clientAddress({ headers, socket: { remoteAddress } }, trustedProxyHops);
  }

  get transport(): string {
    return this.connection.transport.name;
  }

  request(event: string, args: readonly unknown[], timeoutMs: number): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      const acknowledged = (error: Error | null, ...values: unknown[]) =>
        error ? reject(error) : resolve(values);
      this.socket.timeout(timeoutMs).emit(event, ...args, acknowledged);
    });
  }

  /** Its transport: a client whose Socket.IO session is ended does not come back. */
  reconnect(): void {
    this.connection.close();
  }

  disconnect(): void {
    this.socket.disconnect(true);
  }
}
