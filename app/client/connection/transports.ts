import type { Manager } from 'socket.io-client';

/** If a transport does not open within this time, in milliseconds, the next one is tried. The last one gets longer. */
export const firstTimeoutMs = 8_000;
/** Socket.IO's own default. The last transport asks least of a slow network, so it gets this time. */
const lastTimeoutMs = 20_000;

/**
 * Chooses the transport with which a connection begins.
 *
 * Socket.IO tries the next transport only if one is refused. Some proxies, and some versions of WebKit, let a
 * WebSocket hang instead, before or after it opens: nothing is refused, and nothing arrives. So the order rotates
 * whenever nothing arrives in time. It is reset when the first transport has worked.
 */
export class TransportOrder {
  static readonly #known = new WeakMap<Manager, TransportOrder>();

  /** Hubs that share a connection share its order. */
  static of(manager: Manager): TransportOrder {
    const known = TransportOrder.#known.get(manager) ?? new TransportOrder(manager);
    TransportOrder.#known.set(manager, known);
    return known;
  }

  readonly #manager: Manager;
  readonly #first: readonly unknown[];
  readonly #timeout: number | boolean;
  #hasHeard = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(manager: Manager) {
    this.#manager = manager;
    this.#first = manager.opts.transports ?? [];
    this.#timeout = manager.timeout();
    manager.on('open', () => {
      this.#hasHeard = false;
      manager.engine.once('upgrade', () => this.#set(this.#first));
    });
    manager.on('packet', () => {
      this.#hasHeard = true;
      clearTimeout(this.#timer);
    });
    manager.on('error', ({ message }) => {
      if (message === 'timeout') this.rotate();
    });
    manager.on('close', (reason) => {
      clearTimeout(this.#timer);
      // A close by this client does not show that the transport failed.
      if (!this.#hasHeard && reason !== 'forced close') this.rotate();
    });
  }

  /** Call it when the handshake was sent. A transport that only lets the opening through gets no reply to it. */
  expectReply(): void {
    if (this.#hasHeard) return;
    const timeout = this.#manager.timeout();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => endConnection(this.#manager),
      typeof timeout === 'number' ? timeout : lastTimeoutMs,
    );
  }

  /** Makes the next connection begin with another transport. */
  rotate(): void {
    const [first, ...others] = this.#manager.opts.transports as readonly unknown[];
    this.#set([...others, first]);
  }

  #set(transports: readonly unknown[]): void {
    if (this.#first.length < 2) return;
    this.#manager.opts.transports = [...transports] as string[];
    const isFirst = transports[0] === this.#first[0];
    this.#manager.timeout(isFirst ? this.#timeout : Math.max(lastTimeoutMs, Number(this.#timeout)));
  }
}

/** Ends the connection as a network failure would, so that its hubs reconnect by themselves. */
export function endConnection({ engine }: Manager): void {
  // The engine's `close` waits until everything is written. On a dead connection that never happens.
  const transport = engine.transport as unknown as { emitReserved(event: 'close'): void };
  transport.emitReserved('close');
}
