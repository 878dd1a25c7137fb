import type { Server, Socket } from 'socket.io';

type Connection = Socket['conn'];

/** Every client's connection to this instance, whatever hubs it uses. */
export class Connections {
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

  /** Closes the transport and not the session: clients come back by themselves, elsewhere. */
  closeTransports(): void {
    for (const connection of this.#open) connection.close();
  }
}
