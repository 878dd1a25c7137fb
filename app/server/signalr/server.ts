import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { relayedBy } from '../net/relayed.ts';
import type { Relay } from '../relay/relay.ts';
import type { SigningKeys } from '../relay/signing-keys.ts';
import { type ConnectionClaims, readToken } from './connection/connection-token.ts';
import { Sessions, type SessionsOptions } from './connection/sessions.ts';
import type { SignalRConnection, SignalRHub } from './hub.ts';
import { HttpTransports } from './requests/http-transports.ts';
import { negotiate } from './requests/negotiate.ts';
import { Newcomers, type NewcomersOptions } from './requests/newcomers.ts';
import {
  type ErrorReply,
  foreignOrigin,
  gone,
  leaving,
  refuse,
  refuseUpgrade,
  respond,
  respondJson,
} from './requests/replies.ts';
import { type HubRequest, readRequest } from './requests/request.ts';
import { type Upgrade, WebSockets } from './requests/web-sockets.ts';
import type { LongPollingTimes } from './transports/long-polling.ts';

export interface SignalRServerOptions extends SessionsOptions, NewcomersOptions {
  readonly instance: string;
  readonly keys: SigningKeys;
  /** Leads to the instances that hold other sessions. @default there are no others */
  readonly relay?: Relay | undefined;
  /** By their paths, such as `/chathub`. */
  readonly hubs: ReadonlyMap<string, SignalRHub>;
  /** CORS headers for the page that asks; undefined: pages of this origin may not. */
  readonly cors: (request: IncomingMessage) => Readonly<Record<string, string>> | undefined;
  /** Another instance that takes new connections. @default none is known */
  readonly elsewhere?: () => string | undefined;
  readonly longPolling?: Partial<LongPollingTimes>;
}

/** Several messages may come in one frame or body. */
const messagesOfABody = 4;

const corsHeaders = {
  'access-control-allow-headers': 'authorization,content-type,x-requested-with,x-signalr-user-agent',
  'access-control-allow-methods': 'GET,POST,DELETE,OPTIONS',
  'access-control-max-age': '600',
};

/**
 * Serves hubs to SignalR's clients: negotiation, WebSockets, Server-Sent Events and long polling. A connection's token
 * says which instance serves it, so any instance can be asked.
 */
export class SignalRServer implements Iterable<SignalRConnection> {
  readonly #options: SignalRServerOptions;
  readonly #sessions: Sessions;
  readonly #newcomers: Newcomers;
  readonly #http: HttpTransports;
  readonly #webSockets: WebSockets;
  /** Bytes. */
  readonly #largestBody: number;

  constructor(options: SignalRServerOptions) {
    const { instance, keys, listener, longPolling, largestMessage } = options;
    const sessions = new Sessions(options);
    const newcomers = new Newcomers(options, sessions);
    const largestBody = largestMessage * messagesOfABody;
    this.#options = options;
    this.#sessions = sessions;
    this.#newcomers = newcomers;
    this.#largestBody = largestBody;
    this.#http = new HttpTransports({ sessions, newcomers, largestBody, longPolling });
    this.#webSockets = new WebSockets({
      instance,
      keys,
      sessions,
      newcomers,
      listener,
      largestFrame: largestBody,
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
    this.#respond(asked, response).catch((error) => {
      this.#options.onFault(error, undefined);
      if (!response.headersSent) respond(response, 500);
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

  async #respond(asked: HubRequest, response: ServerResponse): Promise<void> {
    const { request, query, path, isNegotiation } = asked;
    const claims = isNegotiation
      ? undefined
      : await readToken(query.get('id') ?? '', path, this.#options.keys);
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
    if (!query.get('id')) return respond(response, 400, 'Connection ID required');
    if (!claims || other !== undefined) return gone(request, response);
    await this.#http.serve(asked, claims, response);
  }

  #countFailure({ statusCode }: ServerResponse): void {
    if (statusCode >= 400) this.#options.listener?.handshakeFailed('polling', reasonOf(statusCode));
  }

  async #negotiate(asked: HubRequest, response: ServerResponse): Promise<void> {
    const { request } = asked;
    if (request.method !== 'POST') return respond(response, 405);
    const refusal = this.#newcomers.refuse(request);
    if (refusal) return refuse(response, refusal);
    const identity = await this.#newcomers.authenticate(asked, 'negotiation');
    if ('status' in identity) return refuse(response, identity);
    const { keys, instance } = this.#options;
    const holder = this.#newcomers.areTaken ? instance : (this.#options.elsewhere?.() ?? instance);
    respondJson(response, await negotiate(asked, identity.known, { keys, instance: holder }));
  }

  /** @returns why not; undefined when the socket is taken care of */
  async #upgrade(asked: HubRequest, upgrade: Upgrade): Promise<ErrorReply | undefined> {
    if (!this.#newcomers.areTaken) return (await this.#upgradeElsewhere(upgrade)) ? undefined : leaving;
    if (!this.#options.cors(asked.request)) return foreignOrigin;
    return this.#webSockets.upgrade(asked, upgrade);
  }

  async #upgradeElsewhere({ request, socket, head }: Upgrade): Promise<boolean> {
    const { elsewhere, relay } = this.#options;
    const other = relayedBy(request) ? undefined : elsewhere?.();
    if (other === undefined || !relay) return false;
    return relay.forwardUpgrade(request, socket, head, other);
  }

  /** Server-Sent Events and polls are served by the instance of their token; a WebSocket by any. */
  #holderElsewhere({ instance }: ConnectionClaims, request: IncomingMessage): string | undefined {
    return instance === this.#options.instance || relayedBy(request) ? undefined : instance;
  }
}

/** What metrics call the failures of a handshake. */
function reasonOf(status: number): string {
  if (status === 404) return 'unknown_session';
  if (status === 405) return 'bad_method';
  return status === 400 || status === 409 || status === 413 ? 'bad_request' : 'refused';
}
