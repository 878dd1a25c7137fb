import type { EventEmitter } from 'node:events';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Server } from 'socket.io';
import type { Connection, ConnectionListener } from '../connections.ts';
import { counterOf, gaugeOf, one } from './families.ts';

/** Engine.IO's own reasons; anything else is `other`. */
const endReasons = new Set([
  'transport close',
  'transport error',
  'ping timeout',
  'parse error',
  'forced close',
]);

/** What Engine.IO calls the codes of its `connection_error`. */
const handshakeFaults: Readonly<Record<number, string>> = {
  0: 'unknown_transport',
  1: 'unknown_session',
  2: 'bad_method',
  3: 'bad_request',
  4: 'refused',
  5: 'unsupported_protocol',
};

interface HandshakeError {
  readonly req: IncomingMessage;
  readonly code: number;
}

/** Clients' connections to this instance, each once, whatever hubs it uses. */
export class ConnectionMetrics implements ConnectionListener {
  #open: Iterable<Connection> = [];
  readonly #disconnects: Counter;
  readonly #lifetime: Histogram;
  readonly #upgradeFailures: Counter;
  readonly #handshakeFailures: Counter;
  readonly #refusals: Counter;
  opened = 0;
  closed = 0;
  upgradeFailures = 0;

  constructor(registry: Registry) {
    gaugeOf(
      registry,
      {
        name: 'realtime_connections',
        help: 'Open connections by transport. A rise of polling: WebSockets do not get through a proxy',
        labels: ['transport'],
      },
      () => Object.entries(this.byTransport()).map(([transport, count]) => [{ transport }, count] as const),
    );
    counterOf(
      registry,
      {
        name: 'realtime_connects_total',
        help: 'Connections opened. A rise that connections do not follow: clients reconnect again and again',
      },
      () => one(this.opened),
    );
    this.#disconnects = new Counter({
      name: 'realtime_disconnects_total',
      help: 'Connections that ended, by reason. A rise of ping_timeout: networks or a starved event loop; of forced_close: this service ended them, as it does while draining; of parse_error: a client that is none of ours',
      labelNames: ['reason'],
      registers: [registry],
    });
    this.#lifetime = new Histogram({
      name: 'realtime_connection_lifetime_seconds',
      help: "How long ended connections lasted. Many at one value: a proxy's timeout cuts them there",
      buckets: [1, 5, 15, 30, 60, 120, 300, 900, 3_600, 14_400, 86_400],
      registers: [registry],
    });
    this.#upgradeFailures = new Counter({
      name: 'realtime_upgrade_failures_total',
      help: 'WebSocket upgrades that were refused or failed, by reason. A rise of unknown_session: polling without stickiness; of refused: a limit, an origin, or an instance that is not ready',
      labelNames: ['reason'],
      registers: [registry],
    });
    this.#handshakeFailures = new Counter({
      name: 'realtime_polling_failures_total',
      help: 'Polling requests that were refused or failed, by reason. A rise of unknown_session: requests of one client reach different instances',
      labelNames: ['reason'],
      registers: [registry],
    });
    this.#refusals = new Counter({
      name: 'realtime_authentication_refusals_total',
      help: "Clients that a hub did not take, by reason. A rise of expired: clients that keep a token too long; of invalid: a key that was replaced, or someone who tries; of unavailable: the identity provider's keys, or a fault of the service",
      labelNames: ['hub', 'reason'],
      registers: [registry],
    });
  }

  /** A hub's middleware did not take a client. @param code as the client is told */
  refused(hub: string, code: string): void {
    this.#refusals.inc({ hub, reason: code });
  }

  connectionOpened(): void {
    this.opened += 1;
  }

  connectionEnded(reason: string, afterMs: number): void {
    this.closed += 1;
    this.#disconnects.inc({ reason: endReasons.has(reason) ? reason.replace(' ', '_') : 'other' });
    this.#lifetime.observe(afterMs / 1000);
  }

  /** @param open the connections that are open, each time it is iterated */
  watch(io: Server, http: HttpServer, open: Iterable<Connection>): void {
    this.#open = open;
    io.engine.on('connection_error', ({ req, code }: HandshakeError) => this.#failed(req, code));
    // A handshake that ws itself refuses, for a bad key or version: Engine.IO does not hear of it.
    const { ws } = io.engine as unknown as { ws?: EventEmitter };
    ws?.on('wsClientError', () => this.#upgradeFailed('malformed'));
    const path = io.path();
    http.on('upgrade', ({ url = '' }: IncomingMessage) => {
      if (!url.startsWith(path)) this.#upgradeFailed('wrong_path');
    });
  }

  get count(): number {
    return this.opened - this.closed;
  }

  byTransport(): Record<'websocket' | 'polling' | 'other', number> {
    const counts = { websocket: 0, polling: 0, other: 0 };
    for (const { transport } of this.#open) {
      const { name } = transport;
      counts[name === 'websocket' || name === 'polling' ? name : 'other'] += 1;
    }
    return counts;
  }

  #failed({ headers }: IncomingMessage, code: number): void {
    const reason = handshakeFaults[code] ?? 'other';
    if (headers.upgrade === undefined) this.#handshakeFailures.inc({ reason });
    else this.#upgradeFailed(reason);
  }

  #upgradeFailed(reason: string): void {
    this.upgradeFailures += 1;
    this.#upgradeFailures.inc({ reason });
  }
}
