import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createProxyServer } from 'httpxy';
import { type Exchange, RequestExchange, UpgradeExchange } from './exchange.ts';
import type { Stickiness } from './stickiness.ts';
import type { Target } from './targets.ts';

/** Forwards requests and upgraded connections to their targets, and adds the cookies to the answers. */
export class Forwarder {
  readonly #stickiness: Stickiness;
  readonly #onDone: (target: Target) => void;
  readonly #proxy = createProxyServer();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #byRequest = new WeakMap<IncomingMessage, Exchange>();
  readonly #byClient = new WeakMap<Duplex, Exchange>();

  /** @param onDone called when a target has one connection fewer */
  constructor(stickiness: Stickiness, onDone: (target: Target) => void) {
    this.#stickiness = stickiness;
    this.#onDone = onDone;
    this.#proxy.on('error', (_error, request) => this.#of(request)?.fail(502));
    this.#proxy.on('proxyReq', (upstream, request) => {
      const exchange = this.#of(request);
      if (exchange) exchange.upstream = upstream;
    });
    this.#proxy.on('proxyRes', (answer, request) => this.#receive(answer, this.#of(request)));
    this.#proxy.on('proxyReqWs', (upstream, request) => {
      const exchange = this.#of(request) as UpgradeExchange;
      exchange.upstream = upstream;
      // These listeners run before the library's own, which sends the headers on.
      upstream.on('response', (answer) => {
        exchange.rejected();
        this.#stick(answer, exchange);
      });
      upstream.on('upgrade', (answer, tunnel) => {
        exchange.open(tunnel as Socket);
        this.#stick(answer, exchange);
      });
    });
  }

  request(target: Target, request: IncomingMessage, response: ServerResponse): void {
    const exchange = new RequestExchange(target, request, response);
    this.#track(exchange, request, response);
    // The client got its `100 Continue` already.
    delete request.headers.expect;
    setForwardedHeaders(request);
    this.#proxy.web(request, response, { target: address(target), agent: this.#agent }).catch(() => {});
  }

  upgrade(target: Target, request: IncomingMessage, client: Socket, head: Buffer): void {
    const exchange = new UpgradeExchange(target, client);
    this.#track(exchange, request, client);
    setForwardedHeaders(request);
    // It gets a connection of its own, since one that is kept alive may be closing just now.
    this.#proxy.ws(request, client, { target: address(target), agent: false }, head).catch(() => {});
  }

  /** Ends the exchange that this client's socket waits for, or the socket itself. */
  idle(client: Socket): void {
    const exchange = this.#byClient.get(client);
    if (exchange) exchange.idle();
    else client.destroy();
  }

  close(): void {
    this.#agent.destroy();
  }

  #of(request: IncomingMessage | undefined): Exchange | undefined {
    return request && this.#byRequest.get(request);
  }

  #track(exchange: Exchange, request: IncomingMessage, until: ServerResponse | Socket): void {
    this.#byRequest.set(request, exchange);
    this.#byClient.set(request.socket, exchange);
    exchange.target.connections.add(exchange);
    until.once('close', () => {
      exchange.target.connections.delete(exchange);
      if (this.#byClient.get(request.socket) === exchange) this.#byClient.delete(request.socket);
      this.#onDone(exchange.target);
    });
  }

  #receive(reply: IncomingMessage, exchange: Exchange | undefined): void {
    // These two describe the connection to the target; the client's has headers of its own.
    delete reply.headers.connection;
    delete reply.headers['keep-alive'];
    if (exchange) this.#stick(reply, exchange);
  }

  #stick(reply: IncomingMessage, exchange: Exchange): void {
    if (!exchange.target.sticky) return;
    const cookies = this.#stickiness.cookies(exchange.target.key);
    reply.headers['set-cookie'] = [...(reply.headers['set-cookie'] ?? []), ...cookies];
  }
}

function address({ host, port }: Target) {
  return { protocol: 'http:', host, port };
}

/** Sets the headers of an ALB about the client: it appends to X-Forwarded-For and replaces the other two. */
function setForwardedHeaders(request: IncomingMessage): void {
  const { headers, socket } = request;
  const client = socket.remoteAddress?.replace(/^::ffff:/, '') ?? 'unknown';
  const before = headers['x-forwarded-for'];
  headers['x-forwarded-for'] = before ? `${before}, ${client}` : client;
  headers['x-forwarded-proto'] = 'http';
  headers['x-forwarded-port'] = String(socket.localPort);
}
