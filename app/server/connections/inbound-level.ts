/** What one connection may send: so much at once, and a second. */
export interface InboundBounds {
  /** A client that joins 1,000 rooms in 4 hubs sends 4,000. @default 5,000 */
  readonly packets: number;
  /** Of them a second, for as long as one likes. @default 5,000 */
  readonly packetsPerSecond: number;
  /** A client that comes back with 300 publishes of 64 KB, as many as it may send at once, sends 20 MB. @default 32 MB */
  readonly bytes: number;
  /** A core reads some 100 MB of JSON in a second. @default 2 MB */
  readonly bytesPerSecond: number;
}

const defaultBounds: InboundBounds = {
  packets: 5_000,
  packetsPerSecond: 5_000,
  bytes: 32_000_000,
  bytesPerSecond: 2_000_000,
};

export interface InboundLevelsOptions<Connection> {
  /** Called once for each connection that sends more than it may, or of which `isTooMuch` says so. */
  readonly onFlood: (connection: Connection) => void;
  /** Once a second, of each connection that sent something. @returns true: it is ended. @default nobody is asked */
  readonly isTooMuch?: ((connection: Connection, bytes: number) => boolean) | undefined;
  readonly bounds?: Partial<InboundBounds> | undefined;
}

/** What a connection has sent, less what it may send in the time that has gone by since. */
interface Level {
  packets: number;
  bytes: number;
  /** In this second alone. */
  bytesNow: number;
}

/**
 * Holds what each connection sends against its bounds, whatever is in it: bad packets, too, take time to be read and
 * refused. Nothing is kept of connections that are silent.
 */
export class InboundLevels<Connection extends object> {
  readonly #options: InboundLevelsOptions<Connection>;
  readonly #bounds: InboundBounds;
  readonly #levels = new Map<Connection, Level>();
  readonly #ended = new WeakSet<Connection>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: InboundLevelsOptions<Connection>) {
    this.#options = options;
    this.#bounds = { ...defaultBounds, ...options.bounds };
    this.#timer = setInterval(() => this.#sink(), 1_000).unref();
  }

  /** A packet of so many bytes came. */
  count(connection: Connection, bytes: number): void {
    const level = this.#levels.get(connection) ?? this.#begin(connection);
    level.packets += 1;
    level.bytes += bytes;
    level.bytesNow += bytes;
    if (level.packets > this.#bounds.packets || level.bytes > this.#bounds.bytes) this.#end(connection);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #begin(connection: Connection): Level {
    const level = { packets: 0, bytes: 0, bytesNow: 0 };
    this.#levels.set(connection, level);
    return level;
  }

  #sink(): void {
    const { packetsPerSecond, bytesPerSecond } = this.#bounds;
    for (const [connection, level] of this.#levels) {
      if (this.#options.isTooMuch?.(connection, level.bytesNow)) this.#end(connection);
      level.packets = Math.max(0, level.packets - packetsPerSecond);
      level.bytes = Math.max(0, level.bytes - bytesPerSecond);
      level.bytesNow = 0;
      if (level.packets + level.bytes === 0) this.#levels.delete(connection);
    }
  }

  #end(connection: Connection): void {
    if (this.#ended.has(connection)) return;
    this.#ended.add(connection);
    this.#options.onFlood(connection);
  }
}
