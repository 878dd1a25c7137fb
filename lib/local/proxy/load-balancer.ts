import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { answerUpgradeWith, answerWith } from './exchange.ts';
import { Forwarder } from './forwarder.ts';
import type { HealthCheckOptions } from './health-checks.ts';
import { type Listener, listenersFor, type Rule } from './rules.ts';
import { Stickiness } from './stickiness.ts';
import type { Health, Target, TargetAddress } from './targets.ts';

export interface LoadBalancerOptions {
  readonly healthChecks?: HealthCheckOptions;
  /** Paths with targets of their own; the first that matches counts. @default none: all targets do the same */
  readonly rules?: readonly Rule[];
  /** With nothing moving for this long a connection ends: 504 while a target owes an answer. @default 60000 */
  readonly idleTimeoutMs?: number;
  /** How long a client stays tied to a target, counted anew from each response. @default 7 days */
  readonly stickinessMs?: number;
  /** Answers what is no target's, and says whether it did. @default everything is a target's */
  readonly ownRoutes?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface TargetStatus extends TargetAddress {
  readonly health: Health;
  /** Requests and upgraded connections under way. */
  readonly connections: number;
}

/** An ALB's limit on a request's headers in bytes. */
const maxHeaderBytes = 64 * 1024;

/** A sticky HTTP and WebSocket load balancer on one loopback port that behaves as an ALB does. */
export class LoadBalancer {
  readonly idleTimeoutMs: number;
  readonly #server: Server;
  readonly #listeners: readonly Listener[];
  readonly #stickiness: Stickiness;
  readonly #forwarder: Forwarder;
  readonly #ownRoutes: LoadBalancerOptions['ownRoutes'];
  readonly #events = new EventEmitter<{ health: [Target]; done: [Target] }>().setMaxListeners(0);

  constructor(options: LoadBalancerOptions = {}) {
    this.idleTimeoutMs = options.idleTimeoutMs ?? 60_000;
    this.#ownRoutes = options.ownRoutes;
    this.#stickiness = new Stickiness(options.stickinessMs ?? 7 * 24 * 3600_000);
    this.#listeners = listenersFor(options.rules ?? [], options.healthChecks ?? {}, (target) =>
      this.#events.emit('health', target),
    );
    this.#forwarder = new Forwarder(this.#stickiness, (target) => this.#events.emit('done', target));
    this.#server = this.#createServer();
  }

  /** Listens and returns the port; rejects with the system's error, such as EADDRINUSE. */
  async listen(port: number, host = '127.0.0.1'): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** @param group the name of a rule's group. @default the one that takes all that no rule matches */
  register(address: TargetAddress, group?: string): void {
    const listener = this.#listeners.find((each) => each.group === group);
    if (!listener) throw new Error(`no rule has the target group "${group}"`);
    listener.checks.watch(listener.targets.register(address));
  }

  /**
   * No new requests from now on, cookies or not; what is under way may go on for `delayMs`, then it is cut and the
   * target is forgotten. Resolves then, or as soon as nothing is left under way. An unknown id is no error.
   */
  async deregister(id: string, delayMs: number): Promise<void> {
    const listener = this.#listeners.find(({ targets }) => targets.get(id));
    const target = listener?.targets.get(id);
    if (!listener || !target) return;
    listener.checks.unwatch(target);
    target.health = 'draining';
    this.#events.emit('health', target);
    await this.#idle(target, delayMs);
    for (const connection of [...target.connections]) connection.cut();
    listener.targets.remove(target);
  }

  status(): TargetStatus[] {
    return this.#all().map(({ id, host, port, health, connections }) => ({
      id,
      host,
      port,
      health,
      connections: connections.size,
    }));
  }

  /** Calls back at each change of a target's health, until the returned function is called. */
  onHealth(listener: (id: string, health: Health) => void): () => void {
    const forward = (target: Target) => listener(target.id, target.health);
    this.#events.on('health', forward);
    return () => this.#events.off('health', forward);
  }

  async close(): Promise<void> {
    for (const { checks } of this.#listeners) checks.close();
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    for (const { connections } of this.#all()) for (const connection of [...connections]) connection.cut();
    this.#server.closeAllConnections();
    this.#forwarder.close();
    await closed;
  }

  #createServer(): Server {
    const server = createServer({
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout: this.idleTimeoutMs,
      // An upload may take as long as it keeps moving: the idle timeout sees to the rest.
      requestTimeout: 0,
    });
    server.timeout = this.idleTimeoutMs;
    server.on('timeout', (client: Socket) => this.#forwarder.idle(client));
    server.on('request', (request, response) => this.#onRequest(request, response));
    server.on('upgrade', (request, client, head) => this.#onUpgrade(request, client as Socket, head));
    return server;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (this.#ownRoutes?.(request, response)) return;
    const target = this.#targetFor(request);
    if (target) this.#forwarder.request(target, request, response);
    else answerWith(503, request, response);
  }

  #onUpgrade(request: IncomingMessage, client: Socket, head: Buffer): void {
    const target = this.#targetFor(request);
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') answerUpgradeWith(400, client);
    else if (!target) answerUpgradeWith(503, client);
    else {
      this.#forwarder.upgrade(target, request, client, head);
      // Node's server and the library both let go of an upgraded socket's timeout.
      client.setTimeout(this.idleTimeoutMs, () => this.#forwarder.idle(client));
    }
  }

  #targetFor({ url = '/', headers }: IncomingMessage): Target | undefined {
    const [path = ''] = url.split('?', 1);
    const { targets } = this.#listeners.find((each) => each.matches(path)) as Listener;
    // A group that is not sticky has given nobody a cookie, so none names one of its targets.
    return targets.pick(this.#stickiness.read(headers.cookie));
  }

  #all(): Target[] {
    return this.#listeners.flatMap(({ targets }) => targets.all());
  }

  #idle(target: Target, delayMs: number): Promise<void> {
    if (target.connections.size === 0 || delayMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.#events.off('done', onDone);
        resolve();
      };
      const onDone = (other: Target) => {
        if (other === target && target.connections.size === 0) settle();
      };
      const timer = setTimeout(settle, delayMs);
      this.#events.on('done', onDone);
    });
  }
}
