import type { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'socket.io';

/**
 * What is touched of engine.io 6.6 and ws 8 beyond their public API, to let go of what a connection needs no
 * more. A test holds each of these to the versions in the lockfile; what is absent is left alone.
 */
interface ConnectionInternals {
  request: unknown;
  readonly transport: EventEmitter & {
    readonly name: string;
    readonly socket?: EventEmitter & { readonly _socket: EventEmitter | null };
  };
}

type Handshake = Socket['handshake'];

interface OnceWrapper {
  readonly listener?: () => void;
}

/** For logs, and for who stands behind a proxy. Cookies and tokens are not kept. */
const keptHeaders = ['origin', 'user-agent', 'x-forwarded-for'] as const;
const none = Object.freeze({});

/** The little of its HTTP request that Socket.IO reads when a connection enters one more namespace. */
class SlimRequest {
  readonly headers: IncomingHttpHeaders;
  readonly connection: { readonly encrypted: boolean; readonly remoteAddress: string };
  readonly url: string;
  readonly _query = none;

  constructor({ headers, address, secure, url }: Handshake) {
    this.headers = pick(headers);
    this.connection = { encrypted: secure, remoteAddress: address };
    this.url = url?.split('?', 1)[0] ?? '';
  }

  get socket(): SlimRequest['connection'] {
    return this.connection;
  }
}

/**
 * Lets go of a WebSocket's HTTP request, a sixth of what a connection takes, and of the secrets in it. Afterwards
 * `handshake` has no `query`, no `auth.token` and three headers, and `request` as little. To be called once the
 * connection is authenticated, in each namespace; one by long polling keeps all, since each poll is a request.
 */
export function slimConnection(socket: Socket): void {
  const connection = socket.conn as unknown as ConnectionInternals;
  if (connection.transport.name !== 'websocket') return;
  if (!(connection.request instanceof SlimRequest)) {
    connection.request = new SlimRequest(socket.handshake);
    dropListeners(connection.transport);
  }
  const { headers, url } = connection.request as SlimRequest;
  const { handshake } = socket;
  const { token: _, ...auth } = handshake.auth;
  handshake.headers = headers;
  handshake.url = url;
  handshake.query = none;
  handshake.auth = auth;
}

/** Each keeps the request, and none is called again for a WebSocket that stands. */
function dropListeners(transport: ConnectionInternals['transport']): void {
  // Set-Cookie, in the answers to polls.
  transport.removeAllListeners('headers');
  for (const listener of transport.socket?.listeners('error') ?? []) {
    if (listener.name === 'onUpgradeError') transport.socket?.off('error', listener as () => void);
  }
  const tcp = transport.socket?._socket;
  // Engine.IO's response to the upgrade waits for its end, for middlewares that log.
  for (const { listener } of (tcp?.rawListeners('close') ?? []) as OnceWrapper[]) {
    if (listener && String(listener) === '() => this.emit("close")') tcp?.off('close', listener);
  }
}

function pick(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const picked: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = headers[name];
    if (value !== undefined) picked[name] = String(value);
  }
  return picked;
}
