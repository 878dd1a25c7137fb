import type { Socket } from 'socket.io';
import { AuthenticationError } from '../../auth/errors.ts';
import type { Identity } from '../../auth/identity.ts';
import { ConnectionLimit } from '../../connections/connection-limit.ts';
import type { Connection } from './internals.ts';

/**
 * Hubs that one connection is in at once; each is one for each time that it is entered. The service has six at most, and a
 * page that enters, leaves and enters again before it was answered is in one twice.
 */
const mostEntries = 20;

/** Counts connections for as long as they are in a hub, and bounds how many hubs one is in. */
export class HubEntries {
  readonly #limit: ConnectionLimit;
  /** Who a connection is in each hub. */
  readonly #entries = new Map<Connection, Map<Socket, string>>();
  readonly #onLeave: (this: Socket) => void;
  readonly #onClose: (this: Connection) => void;

  constructor(limit = new ConnectionLimit()) {
    this.#limit = limit;
    const leave = (socket: Socket) => this.#leave(socket);
    const close = (connection: Connection) => this.#close(connection);
    // One listener for all: a closure for each would stand in the memory of every connection.
    this.#onLeave = function (this: Socket) {
      leave(this);
    };
    this.#onClose = function (this: Connection) {
      close(this);
    };
  }

  /**
   * Counts a connection until it has left all hubs that it entered as this user.
   * @throws AuthenticationError
   */
  admit({ subject }: Identity, socket: Socket): void {
    const { conn } = socket;
    // Its end was reported already, while the token was looked at: nobody would end what is counted now.
    if (conn.readyState !== 'open') throw new AuthenticationError('unavailable', 'the connection has ended');
    const entries = this.#entries.get(conn);
    if (entries && entries.size >= mostEntries) {
      throw new AuthenticationError('unavailable', `a connection may enter ${mostEntries} hubs: leave some`);
    }
    this.#limit.add(subject, conn);
    if (entries) entries.set(socket, subject);
    else {
      this.#entries.set(conn, new Map<Socket, string>().set(socket, subject));
      conn.once('close', this.#onClose);
    }
    socket.once('disconnect', this.#onLeave);
  }

  #leave(socket: Socket): void {
    const entries = this.#entries.get(socket.conn);
    const subject = entries?.get(socket);
    if (subject === undefined) return;
    entries?.delete(socket);
    this.#limit.remove(subject, socket.conn);
  }

  /** Among its entries are those that it never completed. */
  #close(connection: Connection): void {
    for (const subject of this.#entries.get(connection)?.values() ?? []) {
      this.#limit.remove(subject, connection);
    }
    this.#entries.delete(connection);
  }
}
