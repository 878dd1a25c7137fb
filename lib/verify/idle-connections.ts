import type { Background, Context } from './check.ts';
import type { Client } from './client.ts';
import type { Clients } from './clients.ts';

/** A client that says nothing of its own accord, and how long nothing moved on its connection. */
export class IdleConnection {
  /** `a WebSocket`, `a long poll` */
  readonly what: string;
  readonly #client: Client;
  #pingIntervalMs = 0;
  #heartbeats = 0;
  #lastMoved = performance.now();
  #longestSilenceMs = 0;
  #cutAfterMs: number | undefined;

  constructor(what: string, client: Client) {
    this.what = what;
    this.#client = client;
    const { engine } = client;
    engine.on('handshake', (handshake) => {
      this.#pingIntervalMs = (handshake as { pingInterval: number }).pingInterval;
    });
    engine.on('packet', ({ type }) => {
      if (type === 'ping') this.#heartbeats += 1;
      this.#moved();
    });
    engine.on('packetCreate', () => this.#moved());
    engine.on('close', () => {
      this.#cutAfterMs = performance.now() - this.#lastMoved;
    });
  }

  /** It was taken by an instance, at least once. */
  get wasOpen(): boolean {
    return this.#client.connections > 0;
  }

  /** How long nothing had moved when it ended, in milliseconds; undefined while it is open. */
  get cutAfterMs(): number | undefined {
    return this.#cutAfterMs;
  }

  get fault(): string | undefined {
    return this.#client.fault;
  }

  /** Between two of the server's heartbeats, as it said at the start; in milliseconds. */
  get pingIntervalMs(): number {
    return this.#pingIntervalMs;
  }

  /** Heartbeats of the server so far: each came after a silence that the connection outlasted. */
  get heartbeats(): number {
    return this.#heartbeats;
  }

  /** The longest time that nothing moved, up to now; in milliseconds. */
  get longestSilenceMs(): number {
    const now = this.#cutAfterMs === undefined ? performance.now() - this.#lastMoved : 0;
    return Math.max(this.#longestSilenceMs, now);
  }

  #moved(): void {
    const now = performance.now();
    this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - this.#lastMoved);
    this.#lastMoved = now;
  }
}

/** One of each transport, opened with the run. */
export class IdleConnections implements Background {
  readonly all: readonly IdleConnection[];
  readonly #clients: Clients;

  constructor({ clients }: Context) {
    this.#clients = clients;
    this.all = [
      new IdleConnection('a WebSocket', clients.open('websocket')),
      new IdleConnection('a long poll', clients.open('polling')),
    ];
  }

  close(): void {
    this.#clients.closeAll();
  }
}
