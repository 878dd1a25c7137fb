import { Counter, Histogram, type Registry } from 'prom-client';
import { counterOf, gaugeOf, one } from './families.ts';

/** Why connections end, in Engine.IO's words; anything else is `other`. */
const endReasons = new Set([
  'transport close',
  'transport error',
  'ping timeout',
  'parse error',
  'forced close',
]);

const transports = ['websocket', 'sse', 'polling'] as const;
type Transport = (typeof transports)[number];

function isTransport(name: string): name is Transport {
  return (transports as readonly string[]).includes(name);
}

interface OpenConnection {
  readonly transport: { readonly name: string };
}

/** Clients' connections to this instance, each once, whatever hubs it uses. */
export class ConnectionMetrics {
  #open: Iterable<OpenConnection> = [];
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
        help: 'Open connections by transport. A rise of sse or polling: WebSockets do not get through a proxy',
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
      help: 'WebSocket upgrades that were refused or failed, by reason. A rise of unknown_session: instances end, or can not reach each other; of refused: a limit, an origin, or an instance that is not ready',
      labelNames: ['reason'],
      registers: [registry],
    });
    this.#handshakeFailures = new Counter({
      name: 'realtime_polling_failures_total',
      help: 'Polling requests that were refused or failed, by reason. A rise of unknown_session: instances end, or can not reach each other',
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

  /** A hub's middleware did not take a client. @param code as the client gets it */
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

  /** A request that would have made or carried a connection was refused or failed. @param reason in a word */
  handshakeFailed(over: 'websocket' | 'polling', reason: string): void {
    if (over === 'polling') {
      this.#handshakeFailures.inc({ reason });
      return;
    }
    this.upgradeFailures += 1;
    this.#upgradeFailures.inc({ reason });
  }

  /** @param open the connections that are open, each time it is iterated */
  watch(open: Iterable<OpenConnection>): void {
    this.#open = open;
  }

  get count(): number {
    return this.opened - this.closed;
  }

  byTransport(): Record<Transport | 'other', number> {
    const counts = { websocket: 0, sse: 0, polling: 0, other: 0 };
    for (const { transport } of this.#open) {
      const { name } = transport;
      counts[isTransport(name) ? name : 'other'] += 1;
    }
    return counts;
  }
}
