import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { AuthenticationError } from '../auth/errors.ts';
import type { Identity } from '../auth/identity.ts';
import { relayedBy } from '../net/relayed.ts';
import type { Relay } from '../relay/relay.ts';
import { readBody } from '../relay/request-exchange.ts';
import type { SigningKeys } from '../relay/signing-keys.ts';
import { type ConnectionTimes, connectionTimes, SignalRConnection } from './connection.ts';
import {
  type ConnectionClaims,
  createConnectionId,
  hashOfSubject,
  mintToken,
  readToken,
} from './connection-token.ts';
import type { SignalRHub } from './hub.ts';
import { negotiatedVersion, negotiation, notAnInteger } from './negotiate.ts';
import { type LongPollingTimes, LongPollingTransport, longPollingTimes } from './transports/long-polling.ts';
import { ServerSentEventsTransport } from './transports/server-sent-events.ts';
import type { Transport } from './transports/transport.ts';
import { WebSocketTransport } from './transports/web-socket.ts';

/** Why a request is not taken, as its HTTP answer. */
export interface ErrorReply {
  readonly status: number;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

export interface SignalRServerOptions {
  readonly instance: string;
  readonly keys: SigningKeys;
  /** Leads to the instances that hold other sessions. @default there are no others */
  readonly relay?: Relay | undefined;
  /** By their paths, such as `/chathub`. */
  readonly hubs: ReadonlyMap<string, SignalRHub>;
  /**
   * Who a token is of; undefined where nobody is authenticated.
   * @throws AuthenticationError (or rejects with it)
   */
  readonly authenticate: (token: string | undefined) => Identity | undefined | Promise<Identity | undefined>;
  /** Looks at what wants to become a connection. @returns undefined: it may go on */
  readonly refuse?: (request: IncomingMessage) => ErrorReply | undefined;
  /** CORS headers for the page that asks; undefined: pages of this origin may not. */
  readonly cors: (request: IncomingMessage) => Readonly<Record<string, string>> | undefined;
  readonly addressOf: (request: IncomingMessage) => string;
  /** Another instance that takes new connections, while this one does not. @default this one takes them */
  readonly elsewhere?: () => string | undefined;
  readonly largestMessage: number;
  readonly mostWaitingBytes: number;
  readonly times?: Partial<ConnectionTimes>;
  readonly longPolling?: Partial<LongPollingTimes>;
  readonly onFault: (fault: Error, connection: SignalRConnection | undefined, target?: string) => void;
}

/** A token leads to a new connection for so long, in seconds. */
const firstUseSeconds = 60;
/** A session that ended is known for so long, in milliseconds: its client's next poll is told. */
const endedSessionMs = 5_000;
const tickMs = 1_000;
const unknownConnection = 'No Connection with that ID';

const corsHeaders = {
  'access-control-allow-headers': 'authorization,content-type,x-requested-with,x-signalr-user-agent',
  'access-control-allow-methods': 'GET,POST,DELETE,OPTIONS',
  'access-control-max-age': '600',
};

interface Session {
  readonly connection: SignalRConnection;
  readonly transport: Transport;
  readonly claims: ConnectionClaims;
}

/** What a request asks of a hub. */
interface Asked {
  readonly request: IncomingMessage;
  readonly path: string;
  readonly hub: SignalRHub;
  readonly query: URLSearchParams;
  readonly isNegotiation: boolean;
}

/**
 * Serves hubs to SignalR's clients: negotiation, WebSockets, Server-Sent Events and long polling. A connection's token
 * says which instance serves it, so any instance can be asked.
 */
export class SignalRServer implements Iterable<SignalRConnection> {
  readonly #options: SignalRServerOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #connections = new Set<SignalRConnection>();
  readonly #webSockets: WebSocketServer;
  readonly #timer: NodeJS.Timeout;

  constructor(options: SignalRServerOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // Several messages may come in one frame.
      maxPayload: 4 * options.largestMessage,
    });
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
  }

  get count(): number {
    return this.#connections.size;
  }

  [Symbol.iterator](): Iterator<SignalRConnection> {
    return this.#connections.values();
  }

  /** Answers what is asked of its hubs, and leaves all else to those who listened before. */
  attach(server: Server): void {
    const others = server.listeners('request');
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      if (this.handle(request, response)) return;
      for (const other of others) other.call(server, request, response);
    });
    server.on('upgrade', (request, socket, head) => void this.handleUpgrade(request, socket, head));
  }

  /** @returns false for what is asked of no hub */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const asked = this.#read(request);
    if (!asked) return false;
    this.#answer(asked, response).catch((error) => {
      this.#options.onFault(error, undefined);
      if (!response.headersSent) answer(response, 500);
      else response.destroy();
    });
    return true;
  }

  /** @returns false for what is asked of no hub */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const asked = this.#read(request);
    if (!asked || asked.isNegotiation) return false;
    socket.on('error', () => socket.destroy());
    this.#upgrade(asked, socket, head).catch((error) => {
      this.#options.onFault(error, undefined);
      socket.destroy();
    });
    return true;
  }

  /** Ends all connections at once. */
  close(): void {
    clearInterval(this.#timer);
    for (const connection of [...this.#connections]) connection.terminate();
    this.#webSockets.close();
  }

  #read(request: IncomingMessage): Asked | undefined {
    const [path = '', search = ''] = (request.url ?? '').split('?', 2);
    const isNegotiation = path.endsWith('/negotiate');
    const hubPath = isNegotiation ? path.slice(0, -'/negotiate'.length) : path;
    const hub = this.#options.hubs.get(hubPath.toLowerCase());
    if (!hub) return undefined;
    return { request, path: hubPath.toLowerCase(), hub, query: inLowerCase(search), isNegotiation };
  }

  async #answer(asked: Asked, response: ServerResponse): Promise<void> {
    const { request, query, isNegotiation } = asked;
    const claims = isNegotiation ? undefined : await this.#claimsOf(asked);
    const other = claims && this.#holderElsewhere(claims, request);
    if (other !== undefined && request.method !== 'OPTIONS') {
      if (await this.#options.relay?.forward(request, response, other)) return;
    }
    const cors = this.#options.cors(request);
    if (!cors) return void answer(response, 403, 'pages of this origin may not connect');
    for (const [name, value] of Object.entries(cors)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') return void response.writeHead(204, corsHeaders).end();
    if (isNegotiation) return this.#negotiate(asked, response);
    if (!query.get('id')) return void answer(response, 400, 'Connection ID required');
    if (!claims || other !== undefined) return void gone(request, response);
    await this.#serve(asked, claims, response);
  }

  async #negotiate(asked: Asked, response: ServerResponse): Promise<void> {
    const { request, query, path } = asked;
    if (request.method !== 'POST') return void answer(response, 405);
    const refusal = this.#options.refuse?.(request);
    if (refusal) return void refuse(response, refusal);
    const identity = await this.#authenticate(asked, response);
    if (identity === 'refused') return;
    const version = negotiatedVersion(query.get('negotiateversion'));
    if (version === undefined) return void answerJson(response, notAnInteger);
    const { instance, keys, elsewhere } = this.#options;
    const connectionId = createConnectionId();
    const token = await mintToken(
      {
        connectionId,
        instance: elsewhere?.() ?? instance,
        hub: path,
        subjectHash: hashOfSubject(identity?.subject),
        issuedAt: Math.floor(Date.now() / 1_000),
      },
      keys,
    );
    answerJson(response, negotiation(version, connectionId, token));
  }

  async #serve(asked: Asked, claims: ConnectionClaims, response: ServerResponse): Promise<void> {
    const { request } = asked;
    const session = this.#sessions.get(claims.connectionId);
    const isPolling = session?.transport instanceof LongPollingTransport;
    const reads = request.method === 'GET' || request.method === 'DELETE';
    // A client in Python polls without its token: in a session that lives, the id is proof enough.
    if (!(isPolling && reads && tokenOf(asked) === undefined)) {
      const identity = await this.#authenticate(asked, response);
      if (identity === 'refused') return;
      if (hashOfSubject(identity?.subject) !== claims.subjectHash) return void gone(request, response);
      if (!session && request.method === 'GET') return this.#open(asked, claims, identity, response);
    }
    if (!session) return void gone(request, response);
    await this.#continue(asked, session, response);
  }

  #open(
    asked: Asked,
    claims: ConnectionClaims,
    identity: Identity | undefined,
    response: ServerResponse,
  ): void {
    const { request } = asked;
    const { elsewhere, longPolling } = this.#options;
    if (!isFresh(claims) || elsewhere?.() !== undefined) return void gone(request, response);
    if (request.headers.accept?.toLowerCase().includes('text/event-stream')) {
      const transport = new ServerSentEventsTransport(response);
      const { connection } = this.#connect(asked, claims, identity, transport);
      response.once('close', () => connection.transportClosed());
      return;
    }
    const transport = new LongPollingTransport(() => connection.terminate(), {
      ...longPollingTimes,
      ...longPolling,
    });
    const { connection } = this.#connect(asked, claims, identity, transport);
    transport.poll(request, response);
  }

  async #continue({ request }: Asked, session: Session, response: ServerResponse): Promise<void> {
    const { connection, transport } = session;
    switch (request.method) {
      case 'GET':
        if (!(transport instanceof LongPollingTransport)) {
          const isSame = request.headers.accept?.toLowerCase().includes('text/event-stream');
          return void answer(response, isSame && transport.name === 'serverSentEvents' ? 409 : 400);
        }
        return void transport.poll(request, response);
      case 'POST': {
        if (transport.name === 'webSockets') return void answer(response, 405);
        const body = await readBody(request, 4 * this.#options.largestMessage);
        if (!body) return void response.writeHead(413, { connection: 'close' }).end();
        // The client waits for this answer before it sends more, whatever its messages bring about.
        answer(response, 200);
        return void connection.receive(body);
      }
      case 'DELETE':
        if (!(transport instanceof LongPollingTransport)) return void answer(response, 400);
        answer(response, 202);
        connection.transportClosed();
        return void transport.destroy();
      default:
        answer(response, 405);
    }
  }

  async #upgrade(asked: Asked, socket: Duplex, head: Buffer): Promise<void> {
    const { request, query, path } = asked;
    const { elsewhere, relay, refuse: refuses } = this.#options;
    const other = relayedBy(request) ? undefined : elsewhere?.();
    if (other !== undefined && (await relay?.forwardUpgrade(request, socket, head, other))) return;
    if (elsewhere?.() !== undefined) return refuseUpgrade(socket, { status: 503, message: 'draining' });
    if (!this.#options.cors(request)) {
      return refuseUpgrade(socket, { status: 403, message: 'pages of this origin may not connect' });
    }
    const hasId = query.get('id') !== null;
    const refusal = hasId ? undefined : refuses?.(request);
    if (refusal) return refuseUpgrade(socket, refusal);
    const identity = await this.#identify(asked);
    if ('status' in identity) return refuseUpgrade(socket, identity);
    const { known } = identity;
    const subjectHash = hashOfSubject(known?.subject);
    const claims = hasId ? await this.#claimsOf(asked) : this.#newClaims(path, subjectHash);
    if (!claims || claims.subjectHash !== subjectHash || !isFresh(claims)) {
      return refuseUpgrade(socket, { status: 404, message: unknownConnection });
    }
    if (socket.destroyed) return;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      // The newest one wins: the one before is of a client that lost it.
      this.#sessions.get(claims.connectionId)?.connection.terminate();
      const { connection } = this.#connect(asked, claims, known, new WebSocketTransport(webSocket));
      webSocket.on('message', (data) => connection.receive(data as Buffer));
      // What is no WebSocket any more is closed by its library.
      webSocket.on('error', () => undefined);
      webSocket.once('close', () => connection.transportClosed());
    });
  }

  #connect(
    { request, hub }: Asked,
    claims: ConnectionClaims,
    identity: Identity | undefined,
    transport: Transport,
  ): Session {
    const { addressOf, largestMessage, mostWaitingBytes, times, onFault } = this.#options;
    const connection = new SignalRConnection({
      id: claims.connectionId,
      identity,
      address: addressOf(request),
      hub,
      transport,
      largestMessage,
      mostWaitingBytes,
      times: { ...connectionTimes, ...times },
      onFault,
      onEnd: () => this.#ended(session),
    });
    const session: Session = { connection, transport, claims };
    this.#sessions.set(claims.connectionId, session);
    this.#connections.add(connection);
    return session;
  }

  #ended(session: Session): void {
    const { connection, transport, claims } = session;
    this.#connections.delete(connection);
    const forget = () => {
      if (this.#sessions.get(claims.connectionId) !== session) return;
      this.#sessions.delete(claims.connectionId);
      transport.destroy();
    };
    if (transport instanceof LongPollingTransport) setTimeout(forget, endedSessionMs).unref();
    else if (this.#sessions.get(claims.connectionId) === session) this.#sessions.delete(claims.connectionId);
  }

  /** Server-Sent Events and polls are served by the instance of their token; a WebSocket by any. */
  #holderElsewhere({ instance }: ConnectionClaims, request: IncomingMessage): string | undefined {
    return instance === this.#options.instance || relayedBy(request) ? undefined : instance;
  }

  #claimsOf({ query, path }: Asked): Promise<ConnectionClaims | undefined> {
    return readToken(query.get('id') ?? '', path, this.#options.keys);
  }

  /** Of a client that did not negotiate. */
  #newClaims(hub: string, subjectHash: string): ConnectionClaims {
    const issuedAt = Math.floor(Date.now() / 1_000);
    return {
      connectionId: createConnectionId(),
      instance: this.#options.instance,
      hub,
      subjectHash,
      issuedAt,
    };
  }

  async #authenticate(asked: Asked, response: ServerResponse): Promise<Identity | undefined | 'refused'> {
    const identity = await this.#identify(asked);
    if (!('status' in identity)) return identity.known;
    refuse(response, identity);
    return 'refused';
  }

  async #identify(asked: Asked): Promise<{ readonly known: Identity | undefined } | ErrorReply> {
    try {
      return { known: await this.#options.authenticate(tokenOf(asked)) };
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      return { status: error.code === 'unavailable' ? 503 : 401, message: error.message };
    }
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}

function isFresh({ issuedAt }: ConnectionClaims): boolean {
  return Math.abs(Date.now() / 1_000 - issuedAt) <= firstUseSeconds;
}

/** A browser can give no header to a WebSocket or an event stream. */
function tokenOf({ request, query }: Asked): string | undefined {
  const bearer = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  return bearer ?? query.get('access_token') ?? undefined;
}

function inLowerCase(search: string): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(search)) query.set(name.toLowerCase(), value);
  return query;
}

function answer(response: ServerResponse, status: number, text = ''): void {
  response.writeHead(status, {
    'content-type': 'text/plain',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}

function answerJson(response: ServerResponse, value: object): void {
  const text = JSON.stringify(value);
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}

function refuse(response: ServerResponse, { status, message, retryAfterSeconds }: ErrorReply): void {
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds));
  answer(response, status, message);
}

function refuseUpgrade(socket: Duplex, { status, message }: ErrorReply): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(message)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end([...lines, '', message].join('\r\n'));
}

/** A client in Python swallows the 404 and asks on without a pause; it follows what a message says. */
function gone(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' || request.headers.accept !== 'Text') {
    return void answer(response, 404, unknownConnection);
  }
  const close = Buffer.from('{"type":7,"allowReconnect":true}\x1e');
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': close.length });
  response.end(close);
}
