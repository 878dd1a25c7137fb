import type { Server, Socket } from 'socket.io';

export type Connection = Socket['conn'];

/** Told of each connection that opens and of each that ends. */
export interface ConnectionListener {
  connectionOpened(): void;
  /** @param reason Engine.IO's  @param afterMs how long it lasted, in milliseconds */
  connectionEnded(reason: string, afterMs: number): void;
}

/** Every client's connection to this instance, whatever hubs it uses. */
export class Connections implements Iterable<Connection> {
  /** Each with the time at which it was opened, in milliseconds. */
  readonly #open = new Map<Connection, number>();

  constructor(io: Server, listener?: ConnectionListener) {
    const end = (connection: Connection, reason: string) => {
      const openedAt = this.#open.get(connection);
      if (openedAt === undefined) return;
      this.#open.delete(connection);
      listener?.connectionEnded(reason, Date.now() - openedAt);
    };
    // One listener for all: a closure for each would stand in the memory of every connection.
    function onClose(this: Connection, reason: string) {
      end(this, reason);
    }
    io.engine.on('connection', (connection: Connection) => {
      this.#open.set(connection, Date.now());
      connection.on('close', onClose);
      listener?.connectionOpened();
    });
  }

  get count(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#open.keys();
  }
}
