import type { IncomingMessage, Server } from 'node:http';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Identity } from '../auth/identity.ts';
import type { ConnectionLimit } from '../connections/connection-limit.ts';
import type { ConnectionListener } from '../connections/connection-listener.ts';
import { maxWaitingBytes } from '../connections/waiting-bytes.ts';
import { largestBody } from '../http/create.ts';
import type { Gate } from '../http/gates.ts';
import { isAllowedOrigin, type OriginRules } from '../http/origin.ts';
import type { OpenHub } from '../hubs/open.ts';
import type { Relay } from '../relay/relay.ts';
import { SigningKeys } from '../relay/signing-keys.ts';
import { anonymousIdentity } from './member.ts';
import { serveHub } from './serve-hub.ts';
import { SignalRServer } from './server.ts';

export interface MountOptions {
  readonly deployment: string;
  readonly instance: string;
  readonly hubs: readonly OpenHub[];
  /** Undefined in single-instance mode. */
  readonly relay: Relay | undefined;
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
  /** One more look at who was authenticated. @throws AuthenticationError */
  readonly admit: (identity: Identity) => void;
  /** Look at each negotiation and at whatever is to become a connection. */
  readonly gates: readonly Gate[];
  readonly origins: OriginRules;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly isDraining: () => boolean;
  /** Another instance that takes clients; undefined: none is known. */
  readonly elsewhere: () => string | undefined;
  readonly connectionLimit: ConnectionLimit;
  readonly listener: ConnectionListener;
  /** Whether an address sends more than it may. */
  readonly isTooMuch: (address: string, bytes: number) => boolean;
  readonly log: Logger;
}

export interface MountedSignalR {
  readonly server: SignalRServer;
  /** Ends all connections at once. */
  close(): void;
}

/** Serves hubs to SignalR's clients on an HTTP server that others serve, too. */
export function mountSignalR(http: Server, options: MountOptions): MountedSignalR {
  const { deployment, instance, relay, authenticate, admit, gates, origins, log } = options;
  const served = new Map(options.hubs.map((hub) => [hub.path, serveHub(hub)]));
  if (served.size < options.hubs.length) throw new Error('two hubs have one path: give one of them another');
  const admitted = (identity: Identity | undefined) => {
    if (identity) admit(identity);
    return identity;
  };
  const identityOf = (token: string | undefined) => {
    const identity = authenticate ? authenticate(token) : anonymousIdentity(token);
    return identity && 'then' in identity ? identity.then(admitted) : admitted(identity);
  };
  const server = new SignalRServer({
    ...options,
    // Without other instances there is nobody to share a key with.
    keys: relay?.keys ?? new SigningKeys({ deployment, redis: () => undefined }),
    instance,
    relay,
    hubs: served,
    authenticate: identityOf,
    refuse: (request) => {
      for (const gate of gates) {
        const refusal = gate(request);
        if (refusal) return refusal;
      }
      return undefined;
    },
    cors: (request) => corsHeadersOf(request, origins),
    takesClients: () => !options.isDraining(),
    onFlood: (address) => log.warn({ address }, 'ended a connection that floods'),
    largestMessage: largestBody,
    maxWaitingBytes,
    onFault: (error, connection, target) =>
      log.error({ err: error, connection: connection?.id, target }, 'a SignalR request failed'),
  });
  server.attach(http);
  return {
    server,
    close: () => {
      server.close();
      for (const hub of served.values()) hub.close();
    },
  };
}

/** Undefined for pages that may not connect. */
function corsHeadersOf(request: IncomingMessage, origins: OriginRules): Record<string, string> | undefined {
  if (!isAllowedOrigin(request, origins)) {
    origins.onRefused?.(request);
    return undefined;
  }
  const { origin } = request.headers;
  if (origin === undefined) return { vary: 'Origin' };
  // Clients send credentials by default, and a browser takes no `*` then. No cookie says who anybody is.
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
  };
}
