import { packetOverhead } from '../../connections/waiting-bytes.ts';

/** What carries a connection's records to its client. */
export interface Transport {
  readonly name: 'websocket' | 'sse' | 'polling';
  readonly takesBinary: boolean;
  /** Its client, and the proxies between, need a word from time to time. */
  readonly needsPings: boolean;
  /** Sent, and not yet given to the network. */
  readonly waitingBytes: number;
  /** @param isBinary of no meaning where the transport does not tell text from other bytes */
  send(record: Buffer, isBinary: boolean): void;
  /** Resolves when little waits. */
  writable(): Promise<void>;
  /** Ends behind all that was sent. */
  end(): void;
  /** Ends at once, and drops what waits. */
  destroy(): void;
}

/** More than this waits: whoever can, pauses. */
const highWaterBytes = 65_536;

/** Counts bytes from the moment at which they are sent to the one at which the network has them. */
export class OutgoingBytes {
  #waiting = 0;
  #paused: (() => void)[] = [];

  get count(): number {
    return this.#waiting;
  }

  /** @returns to be called when they are gone */
  add(length: number): () => void {
    const taken = length + packetOverhead;
    this.#waiting += taken;
    return () => {
      this.#waiting -= taken;
      if (this.#waiting < highWaterBytes) this.release();
    };
  }

  async writable(): Promise<void> {
    if (this.#waiting < highWaterBytes) return;
    await new Promise<void>((resolve) => this.#paused.push(resolve));
  }

  /** Nobody waits any more: the transport ended, or has room. */
  release(): void {
    for (const resolve of this.#paused.splice(0)) resolve();
  }
}
