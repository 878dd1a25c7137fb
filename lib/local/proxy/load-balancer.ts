import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { respondToUpgradeWith, respondWith } from './exchange.ts';
import { Forwarder } from './forwarder.ts';
import type { HealthCheckOptions } from './health-checks.ts';
import { type ForwardRule, forwardRules, type Rule } from './rules.ts';
import { Stickiness } from './stickiness.ts';
import type { DeadTargets, Health, Target, TargetAddress } from './targets.ts';

export interface LoadBalancerOptions {
  readonly healthChecks?: HealthCheckOptions;
  /** Paths with targets of their own; the first rule that matches counts. @default none: there is one target group */
  readonly rules?: readonly Rule[];
  /**
   * A connection on which nothing moved for this long ends, in milliseconds; with 504 while a target owes an answer.
   * @default 60000
   */
  readonly idleTimeoutMs?: number;
  /** False: no cookies, and each request goes to any target by chance, as behind many a proxy. @default true */
  readonly sticky?: boolean;
  /** Of the group of all paths that no rule matches. @default 'skip' */
  readonly dead?: DeadTargets;
  /** How long a client stays tied to a target after each response, in milliseconds. @default 7 days */
  readonly stickinessMs?: number;
  /** Answers requests itself; true if it did. @default all requests go to targets */
  readonly ownRoutes?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface TargetStatus extends TargetAddress {
  readonly health: Health;
  /** Requests and upgraded connections under way. */
  readonly connections: number;
}

/** An ALB's limit on a request's headers in bytes. */
const maxHeaderBytes = 64 * 1024;

/** An HTTP and WebSocket load balancer on one loopback port that behaves like an ALB, with stickiness or without. */
export class LoadBalancer {
  readonly idleTimeoutMs: number;
  readonly #server: Server;
  readonly #rules: readonly ForwardRule[];
  readonly #dead: DeadTargets;
  readonly #stickiness: Stickiness;
  readonly #forwarder: Forwarder;
  readonly #ownRoutes: LoadBalancerOptions['ownRoutes'];
  readonly #events = new EventEmitter<{ health: [Target]; done: [Target] }>().setMaxListeners(0);

  constructor(options: LoadBalancerOptions = {}) {
    this.idleTimeoutMs = options.idleTimeoutMs ?? 60_000;
    this.#ownRoutes = options.ownRoutes;
    this.#dead = options.dead ?? 'skip';
    this.#stickiness = new Stickiness(options.stickinessMs ?? 7 * 24 * 3600_000);
    this.#rules = forwardRules(
      options.rules ?? [],
      {
        healthChecks: options.healthChecks,
        rest: {
          dead: this.#dead,
          ...(options.sticky === false ? { sticky: false, choice: 'random' } : { sticky: true }),
        },
      },
      (target) => this.#events.emit('health', target),
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

  /** @param group the name of a rule's group. @default the group of all paths that no rule matches */
  register(address: TargetAddress, group?: string): void {
    const rule = this.#rules.find((each) => each.group === group);
    if (!rule) throw new Error(`no rule has the target group "${group}"`);
    const before = rule.targets.get(address.id);
    if (before?.isDead) rule.targets.remove(before);
    rule.checks.watch(rule.targets.register(address));
  }

  /**
   * Sends this target no new requests from now on, whatever their cookies. Connections that are open may go on for
   * `delayMs`; then they are cut, and the target is removed. Resolves then, or as soon as none is open. An unknown id is
   * no error.
   */
  async deregister(id: string, delayMs: number): Promise<void> {
    const rule = this.#rules.find(({ targets }) => targets.get(id));
    const target = rule?.targets.get(id);
    if (!rule || !target) return;
    rule.checks.unwatch(target);
    target.health = 'draining';
    this.#events.emit('health', target);
    await this.#idle(target, delayMs);
    for (const connection of [...target.connections]) connection.cut();
    rule.targets.remove(target);
  }

  /**
   * This target's process has ended. It is removed; or its requests get 502 until its successor is registered under its
   * id, and serves. An unknown id is no error.
   */
  died(id: string): void {
    const rule = this.#rules.find(({ targets }) => targets.get(id));
    const target = rule?.targets.get(id);
    if (this.#dead === 'skip' || rule?.group !== undefined || !target || target.health === 'draining') {
      void this.deregister(id, 0);
      return;
    }
    rule?.checks.unwatch(target);
    target.isDead = true;
    target.health = 'unhealthy';
    this.#events.emit('health', target);
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

  /** Calls back at each change of a target's health. @returns ends that */
  onHealth(callback: (id: string, health: Health) => void): () => void {
    const forward = (target: Target) => callback(target.id, target.health);
    this.#events.on('health', forward);
    return () => this.#events.off('health', forward);
  }

  async close(): Promise<void> {
    for (const { checks } of this.#rules) checks.close();
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
      // An upload may take long; the idle timeout ends one that does not move.
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
    else respondWith(503, request, response);
  }

  #onUpgrade(request: IncomingMessage, client: Socket, head: Buffer): void {
    const target = this.#targetFor(request);
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') respondToUpgradeWith(400, client);
    else if (!target) respondToUpgradeWith(503, client);
    else {
      this.#forwarder.upgrade(target, request, client, head);
      // Both Node's server and the library remove an upgraded socket's timeout.
      client.setTimeout(this.idleTimeoutMs, () => this.#forwarder.idle(client));
    }
  }

  #targetFor({ url = '/', headers }: IncomingMessage): Target | undefined {
    const [path = ''] = url.split('?', 1);
    const { targets } = this.#rules.find((each) => each.matches(path)) as ForwardRule;
    // No cookie names a target of a group that is not sticky.
    return targets.pick(this.#stickiness.read(headers.cookie));
  }

  #all(): Target[] {
    return this.#rules.flatMap(({ targets }) => targets.all());
  }

  #idle(target: Target, delayMs: number): Promise<void> {
    if (target.connections.size === 0 || delayMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#events.off('done', onDone);
        resolve();
      };
      const onDone = (other: Target) => {
        if (other === target && target.connections.size === 0) finish();
      };
      const timer = setTimeout(finish, delayMs);
      this.#events.on('done', onDone);
    });
  }
}
