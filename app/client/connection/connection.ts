import type { HubSocket } from './connect.ts';
import { OneAtATime } from './one-at-a-time.ts';
import { randomId } from './random-id.ts';
import { endConnection, TransportOrder } from './transports.ts';

/** A service that was probed and has sent nothing for so long is gone; in milliseconds. */
const silenceMs = 3_000;
/**
 * A probe is answered within this time, in milliseconds. Without an answer the connection is renewed, even if other
 * packets arrive.
 */
const probeTimeoutMs = 10_000;
/** Socket.IO's reasons for a disconnect that this client did not cause. */
const endsFromOutside: readonly string[] = [
  'transport close',
  'transport error',
  'parse error',
  'io server disconnect',
];

/** The part of Engine.IO's handshake that its client stores. */
interface Handshake {
  readonly _maxPayload?: number;
}

/** The largest requests that the service accepts. A limit is undefined until it is known. */
export interface RequestLimits {
  /** Bytes of a packet. */
  readonly packetBytes?: number | undefined;
  /** Bytes of a published body as JSON. */
  readonly bodyBytes?: number | undefined;
}

/** The connection of a hub, as calls need it: its limits, whether it is alive, and why it ended. */
export class HubConnection {
  static readonly #known = new WeakMap<HubSocket, HubConnection>();

  static of(socket: HubSocket): HubConnection {
    const known = HubConnection.#known.get(socket) ?? new HubConnection(socket);
    HubConnection.#known.set(socket, known);
    return known;
  }

  readonly #socket: HubSocket;
  #packetBytes: number | undefined;
  #bodyBytes: number | undefined;
  #packetsHeard = 0;
  #hasReplied = false;
  #isProbing = false;
  #isEnding = false;
  #endedFromOutside = false;
  readonly #tasks = new OneAtATime();

  private constructor(socket: HubSocket) {
    this.#socket = socket;
    const hear = () => {
      this.#packetsHeard += 1;
    };
    socket.io.on('packet', hear);
    socket.io.on('ping', hear);
    socket.on('connect', () => {
      this.#hasReplied = false;
    });
    socket.on('welcome', (welcome) => {
      // Null where a server that is bridged to the hub emits an event of this name.
      this.#bodyBytes = welcome?.limits?.bodyBytes;
    });
    socket.on('disconnect', (reason, details) => {
      // A sentence, a status or an event, depending on the transport.
      const { description } = (details ?? {}) as { readonly description?: unknown };
      const isOffline = description === 'network connection lost';
      this.#endedFromOutside = endsFromOutside.includes(reason) && !this.#isEnding && !isOffline;
    });
  }

  /** The limits that the service has announced so far. */
  get limits(): RequestLimits {
    const { _maxPayload = 0 } = (this.#socket.io.engine ?? {}) as unknown as Handshake;
    if (_maxPayload > 0) this.#packetBytes = _maxPayload;
    return { packetBytes: this.#packetBytes, bodyBytes: this.#bodyBytes };
  }

  /** Whether the service or the network ended the last connection. */
  get endedFromOutside(): boolean {
    return this.#endedFromOutside;
  }

  /** Call it when the service has replied to a call. */
  replied(): void {
    this.#hasReplied = true;
  }

  /**
   * Checks whether the service still replies, and renews the connection if not. The probe leaves a room that nobody is
   * in: every instance replies to that at once, even if Redis hangs.
   */
  async probe(): Promise<void> {
    if (this.#isProbing || !this.#socket.connected) return;
    this.#isProbing = true;
    const before = this.#packetsHeard;
    const look = () => this.#packetsHeard === before && this.#renewSilent();
    // In two steps, because a machine that was suspended during the first one reads the packets that came meanwhile
    // before the second one ends.
    let timer = setTimeout(() => {
      timer = setTimeout(look, silenceMs / 2);
    }, silenceMs / 2);
    try {
      await this.#socket.timeout(probeTimeoutMs).emitWithAck('leave', { room: randomId() });
      this.replied();
    } catch {
      this.#renewSilent();
    } finally {
      clearTimeout(timer);
      this.#isProbing = false;
    }
  }

  /** Ends the connection. Socket.IO opens a new one, and asks for a new token. */
  renew(): void {
    if (!this.#socket.connected) return;
    this.#isEnding = true;
    endConnection(this.#socket.io);
    this.#isEnding = false;
  }

  /** Runs tasks one at a time, to find out which of several requests ends the connection. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    return this.#tasks.run(task);
  }

  /** If no call had a reply on this connection, another transport may get through. */
  #renewSilent(): void {
    if (!this.#socket.connected) return;
    if (!this.#hasReplied) TransportOrder.of(this.#socket.io).rotate();
    this.renew();
  }
}
