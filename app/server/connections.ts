import type { Server, Socket } from 'socket.io';

export type Connection = Socket['conn'];

/** Every client's connection to this instance, whatever hubs it uses. */
export class Connections implements Iterable<Connection> {
  readonly #open = new Set<Connection>();

  constructor(io: Server) {
    io.engine.on('connection', (connection: Connection) => {
      this.#open.add(connection);
      connection.once('close', () => this.#open.delete(connection));
    });
  }

  get count(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#open.values();
  }
}
