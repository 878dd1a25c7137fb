import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { AuthenticationError } from '../auth/errors.ts';
import type { Identity } from '../auth/identity.ts';
import { relayedBy } from '../net/relayed.ts';
import type { Relay } from '../relay/relay.ts';
import { readBody } from '../relay/request-exchange.ts';
import type { SigningKeys } from '../relay/signing-keys.ts';
import type { SignalRConnection } from './connection.ts';
import { type ConnectionClaims, createConnectionId, hashOfSubject, readToken } from './connection-token.ts';
import type { SignalRHub } from './hub.ts';
import { negotiate } from './negotiate.ts';
import { isHandshake } from './protocol/handshake.ts';
import {
  answer,
  answerJson,
  type ErrorReply,
  foreignOrigin,
  gone,
  leaving,
  refuse,
  refuseLargeBody,
  refuseUpgrade,
  unknownConnection,
} from './replies.ts';
import { type HubRequest, readRequest, tokenOf, wantsEventStream } from './request.ts';
import { type Newcomer, type Session, Sessions, type SessionsOptions } from './sessions.ts';
import { type LongPollingTimes, LongPollingTransport, longPollingTimes } from './transports/long-polling.ts';
import { ServerSentEventsTransport } from './transports/server-sent-events.ts';
import { WebSocketTransport } from './transports/web-socket.ts';

export interface SignalRServerOptions extends SessionsOptions {
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
  /**
   * Looks at each negotiation and at whatever is to become a connection: a token that was negotiated once may come
   * again and again. @returns undefined: it may go on. @default all may
   */
  readonly refuse?: (request: IncomingMessage) => ErrorReply | undefined;
  /** CORS headers for the page that asks; undefined: pages of this origin may not. */
  readonly cors: (request: IncomingMessage) => Readonly<Record<string, string>> | undefined;
  readonly addressOf: (request: IncomingMessage) => string;
  /** Whether this instance takes new connections; while not, it negotiates for others. @default it does */
  readonly takesClients?: () => boolean;
  /** Another instance that takes new connections. @default none is known */
  readonly elsewhere?: () => string | undefined;
  readonly longPolling?: Partial<LongPollingTimes>;
}

/** Several messages may come in one frame or body. */
const messagesOfABody = 4;
/** A token leads to a new connection for so long, in seconds. */
const firstUseSeconds = 60;

const corsHeaders = {
  'access-control-allow-headers': 'authorization,content-type,x-requested-with,x-signalr-user-agent',
  'access-control-allow-methods': 'GET,POST,DELETE,OPTIONS',
  'access-control-max-age': '600',
};

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Undefined: nobody is authenticated. */
interface Known {
  readonly known: Identity | undefined;
}

/**
 * Serves hubs to SignalR's clients: negotiation, WebSockets, Server-Sent Events and long polling. A connection's token
 * says which instance serves it, so any instance can be asked.
 */
export class SignalRServer implements Iterable<SignalRConnection> {
  readonly #options: SignalRServerOptions;
  readonly #sessions: Sessions;
  readonly #webSockets: WebSocketServer;

  constructor(options: SignalRServerOptions) {
    this.#options = options;
    this.#sessions = new Sessions(options);
    const { listener, largestMessage } = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: largestMessage * messagesOfABody,
    });
    // A handshake that ws itself refuses, for a bad key or version.
    this.#webSockets.on('wsClientError', (_error, socket) => {
      listener?.handshakeFailed('websocket', 'malformed');
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
  }

  get count(): number {
    return this.#sessions.count;
  }

  [Symbol.iterator](): Iterator<SignalRConnection> {
    return this.#sessions[Symbol.iterator]();
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

  /** Whether the path is one of its hubs'. */
  serves(request: IncomingMessage): boolean {
    return readRequest(request, this.#options.hubs)?.isNegotiation === false;
  }

  /** @returns false for what is asked of no hub */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const asked = readRequest(request, this.#options.hubs);
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
    const asked = readRequest(request, this.#options.hubs);
    if (!asked || asked.isNegotiation) return false;
    socket.on('error', () => socket.destroy());
    this.#upgrade(asked, { request, socket, head })
      .then((refusal) => {
        if (!refusal) return;
        this.#options.listener?.handshakeFailed('websocket', reasonOf(refusal.status));
        refuseUpgrade(socket, refusal);
      })
      .catch((error) => {
        this.#options.onFault(error, undefined);
        socket.destroy();
      });
    return true;
  }

  /** Ends all connections at once. */
  close(): void {
    this.#sessions.close();
    this.#webSockets.close();
  }

  async #answer(asked: HubRequest, response: ServerResponse): Promise<void> {
    const { request, query, isNegotiation } = asked;
    const claims = isNegotiation ? undefined : await this.#claimsOf(asked);
    const other = claims && this.#holderElsewhere(claims, request);
    if (other !== undefined && request.method !== 'OPTIONS') {
      if (await this.#options.relay?.forward(request, response, other, this.#largestBody)) return;
    }
    response.once('close', () => this.#countFailure(response));
    const cors = this.#options.cors(request);
    if (!cors) return refuse(response, foreignOrigin);
    for (const [name, value] of Object.entries(cors)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') return void response.writeHead(204, corsHeaders).end();
    if (isNegotiation) return this.#negotiate(asked, response);
    if (!query.get('id')) return answer(response, 400, 'Connection ID required');
    if (!claims || other !== undefined) return gone(request, response);
    await this.#serve(asked, claims, response);
  }

  #countFailure({ statusCode }: ServerResponse): void {
    if (statusCode >= 400) this.#options.listener?.handshakeFailed('polling', reasonOf(statusCode));
  }

  async #negotiate(asked: HubRequest, response: ServerResponse): Promise<void> {
    const { request } = asked;
    if (request.method !== 'POST') return answer(response, 405);
    const refusal = this.#options.refuse?.(request);
    if (refusal) return refuse(response, refusal);
    const identity = await this.#authenticate(asked, 'negotiation');
    if ('status' in identity) return refuse(response, identity);
    const { keys, instance } = this.#options;
    const holder = this.#takesClients ? instance : (this.#options.elsewhere?.() ?? instance);
    answerJson(response, await negotiate(asked, identity.known, { keys, instance: holder }));
  }

  async #serve(asked: HubRequest, claims: ConnectionClaims, response: ServerResponse): Promise<void> {
    const { request } = asked;
    const session = this.#sessions.find(claims);
    const isPolling = session?.transport instanceof LongPollingTransport;
    const reads = request.method === 'GET' || request.method === 'DELETE';
    // A client in Python polls without its token: in a session that lives, the id is proof enough.
    if (!(isPolling && reads && tokenOf(asked) === undefined)) {
      const identity = await this.#authenticate(asked, claims.connectionId);
      if ('status' in identity) return refuse(response, identity);
      const { known } = identity;
      if (hashOfSubject(known?.subject) !== claims.subjectHash) return gone(request, response);
      if (!session) return this.#begin(asked, this.#newcomer(asked, claims, known), response);
    }
    if (!session) return gone(request, response);
    await this.#continue(request, session, response);
  }

  /** A session of which this instance does not know: its first request. */
  async #begin({ request }: HubRequest, newcomer: Newcomer, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') return this.#open(request, newcomer, response);
    if (request.method !== 'POST') return gone(request, response);
    const body = await readBody(request, this.#largestBody);
    if (!body) return refuseLargeBody(response);
    // A client in Python polls behind its handshake. What begins otherwise is of a session that has ended.
    if (!isHandshake(body)) return gone(request, response);
    const refusal = this.#refusalOf(request, newcomer);
    if (refusal) return refuse(response, refusal);
    const { connection } = this.#openPolling(newcomer);
    answer(response, 200);
    this.#sessions.received(connection, body);
  }

  #open(request: IncomingMessage, newcomer: Newcomer, response: ServerResponse): void {
    const refusal = this.#refusalOf(request, newcomer);
    if (refusal === unknownConnection) return void gone(request, response);
    if (refusal) return void refuse(response, refusal);
    if (wantsEventStream(request)) {
      const { connection } = this.#sessions.open(newcomer, new ServerSentEventsTransport(response));
      response.once('close', () => connection.transportClosed());
      return;
    }
    this.#openPolling(newcomer).transport.poll(request, response);
  }

  #openPolling(newcomer: Newcomer): { connection: SignalRConnection; transport: LongPollingTransport } {
    const transport = new LongPollingTransport(() => connection.terminate('ping timeout'), {
      ...longPollingTimes,
      ...this.#options.longPolling,
    });
    const { connection } = this.#sessions.open(newcomer, transport);
    return { connection, transport };
  }

  /** Why a session is not opened. Whose is, is admitted, and must be opened. */
  #refusalOf(request: IncomingMessage, newcomer: Newcomer): ErrorReply | undefined {
    if (!isFresh(newcomer.claims) || !this.#takesClients) return unknownConnection;
    return this.#options.refuse?.(request) ?? this.#admit(newcomer);
  }

  async #continue(
    request: IncomingMessage,
    { connection, transport }: Session,
    response: ServerResponse,
  ): Promise<void> {
    switch (request.method) {
      case 'GET':
        if (transport instanceof LongPollingTransport) return transport.poll(request, response);
        return answer(response, wantsEventStream(request) && transport.name === 'sse' ? 409 : 400);
      case 'POST': {
        if (transport.name === 'websocket') return answer(response, 405);
        const body = await readBody(request, this.#largestBody);
        if (!body) return refuseLargeBody(response);
        // The client waits for this answer before it sends more, whatever its messages bring about.
        answer(response, 200);
        return this.#sessions.received(connection, body);
      }
      case 'DELETE':
        if (!(transport instanceof LongPollingTransport)) return answer(response, 400);
        answer(response, 202);
        connection.transportClosed();
        return transport.destroy();
      default:
        answer(response, 405);
    }
  }

  /** @returns why not; undefined when the socket is taken care of */
  async #upgrade(asked: HubRequest, upgrade: Upgrade): Promise<ErrorReply | undefined> {
    const { request, query, path } = asked;
    if (!this.#takesClients) return (await this.#upgradeElsewhere(upgrade)) ? undefined : leaving;
    if (!this.#options.cors(request)) return foreignOrigin;
    const refusal = this.#options.refuse?.(request);
    if (refusal) return refusal;
    const negotiated = query.get('id') === null ? undefined : await this.#claimsOf(asked);
    const identity = await this.#authenticate(asked, negotiated?.connectionId ?? 'upgrade');
    if ('status' in identity) return identity;
    const { known } = identity;
    const subjectHash = hashOfSubject(known?.subject);
    const claims = query.get('id') === null ? this.#newClaims(path, subjectHash) : negotiated;
    if (!claims || claims.subjectHash !== subjectHash || !isFresh(claims)) return unknownConnection;
    if (upgrade.socket.destroyed) return undefined;
    const newcomer = this.#newcomer(asked, claims, known);
    const full = this.#admit(newcomer);
    if (!full) this.#accept(newcomer, upgrade);
    return full;
  }

  async #upgradeElsewhere({ request, socket, head }: Upgrade): Promise<boolean> {
    const { elsewhere, relay } = this.#options;
    const other = relayedBy(request) ? undefined : elsewhere?.();
    if (other === undefined || !relay) return false;
    return relay.forwardUpgrade(request, socket, head, other);
  }

  #accept(newcomer: Newcomer, { request, socket, head }: Upgrade): void {
    const sessions = this.#sessions;
    let isOpen = false;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      isOpen = true;
      const { connection } = sessions.open(newcomer, new WebSocketTransport(webSocket));
      const onControlFrame = () => sessions.controlFrame(connection);
      webSocket.on('message', (data) => sessions.received(connection, data as Buffer));
      webSocket.on('ping', onControlFrame);
      webSocket.on('pong', onControlFrame);
      // What is no WebSocket any more is closed by its library.
      webSocket.on('error', () => undefined);
      webSocket.once('close', () => connection.transportClosed());
    });
    if (!isOpen) sessions.release(newcomer);
  }

  #newcomer(
    { request, hub }: HubRequest,
    claims: ConnectionClaims,
    identity: Identity | undefined,
  ): Newcomer {
    return { claims, identity, hub, address: this.#options.addressOf(request) };
  }

  /** @returns why not. Who is admitted must be opened or released */
  #admit(newcomer: Newcomer): ErrorReply | undefined {
    try {
      this.#sessions.admit(newcomer);
      return undefined;
    } catch (error) {
      return refusalOf(error, newcomer.hub, newcomer.claims.connectionId);
    }
  }

  get #largestBody(): number {
    return this.#options.largestMessage * messagesOfABody;
  }

  get #takesClients(): boolean {
    return this.#options.takesClients?.() ?? true;
  }

  /** Server-Sent Events and polls are served by the instance of their token; a WebSocket by any. */
  #holderElsewhere({ instance }: ConnectionClaims, request: IncomingMessage): string | undefined {
    return instance === this.#options.instance || relayedBy(request) ? undefined : instance;
  }

  #claimsOf({ query, path }: HubRequest): Promise<ConnectionClaims | undefined> {
    return readToken(query.get('id') ?? '', path, this.#options.keys);
  }

  /** Of a client that did not negotiate. */
  #newClaims(hub: string, subjectHash: string): ConnectionClaims {
    return {
      connectionId: createConnectionId(),
      instance: this.#options.instance,
      hub,
      subjectHash,
      issuedAt: Math.floor(Date.now() / 1_000),
    };
  }

  /** @param connection for the log */
  async #authenticate(asked: HubRequest, connection: string): Promise<Known | ErrorReply> {
    try {
      return { known: await this.#options.authenticate(tokenOf(asked)) };
    } catch (error) {
      return refusalOf(error, asked.hub, connection);
    }
  }
}

function isFresh({ issuedAt }: ConnectionClaims): boolean {
  return Math.abs(Date.now() / 1_000 - issuedAt) <= firstUseSeconds;
}

/** Of a token that is not taken, or of a fault of ours, of which the client is told nothing. */
function refusalOf(error: unknown, hub: SignalRHub, connection: string): ErrorReply {
  if (error instanceof AuthenticationError) {
    hub.refused?.(error, error.code, connection);
    return { status: error.code === 'unavailable' ? 503 : 401, message: error.message };
  }
  hub.refused?.(error as Error, 'unavailable', connection);
  return { status: 503, message: 'the service failed to authenticate this; its log says why' };
}

/** What metrics call the failures of a handshake. */
function reasonOf(status: number): string {
  if (status === 404) return 'unknown_session';
  if (status === 405) return 'bad_method';
  return status === 400 || status === 409 || status === 413 ? 'bad_request' : 'refused';
}
