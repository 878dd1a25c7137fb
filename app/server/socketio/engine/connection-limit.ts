import type { Socket } from 'socket.io';
import { AuthenticationError } from '../../auth/errors.ts';
import type { Identity } from '../../auth/identity.ts';

type Connection = Socket['conn'];

/** Connections of one user to one instance: a person with every device and tab has fewer. */
const mostConnections = 100;
/**
 * Hubs that one connection is in at once; each is one for each time that it is entered. The service has five, and a
 * page that enters, leaves and enters again before it was answered is in one twice.
 */
const mostEntries = 20;

/** Bounds what one user's connections take of an instance, and what one connection does. */
export class ConnectionLimit {
  readonly #most: number;
  /** By user, with the number of hubs that a connection is in as that user. */
  readonly #connections = new Map<string, Map<Connection, number>>();
  /** Who a connection is in each hub. */
  readonly #entries = new WeakMap<Connection, Map<Socket, string>>();
  readonly #onLeave: (this: Socket) => void;
  readonly #onClose: (this: Connection) => void;

  constructor(most = mostConnections) {
    this.#most = most;
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
    const connections = this.#connections.get(subject) ?? new Map<Connection, number>();
    if (!connections.has(conn) && connections.size >= this.#most) {
      throw new AuthenticationError('unavailable', `a user may have ${this.#most} connections: close some`);
    }
    connections.set(conn, (connections.get(conn) ?? 0) + 1);
    this.#connections.set(subject, connections);
    if (entries) entries.set(socket, subject);
    else {
      this.#entries.set(conn, new Map([[socket, subject]]));
      conn.once('close', this.#onClose);
    }
    socket.once('disconnect', this.#onLeave);
  }

  /** Users that are counted now. */
  get users(): number {
    return this.#connections.size;
  }

  #leave(socket: Socket): void {
    const entries = this.#entries.get(socket.conn);
    const subject = entries?.get(socket);
    if (subject === undefined) return;
    entries?.delete(socket);
    this.#release(subject, socket.conn);
  }

  /** Among its entries are those that it never completed. */
  #close(connection: Connection): void {
    for (const subject of this.#entries.get(connection)?.values() ?? []) this.#release(subject, connection);
    this.#entries.delete(connection);
  }

  #release(subject: string, connection: Connection): void {
    const connections = this.#connections.get(subject);
    const count = connections?.get(connection);
    if (!connections || count === undefined) return;
    if (count > 1) connections.set(connection, count - 1);
    else connections.delete(connection);
    if (connections.size === 0) this.#connections.delete(subject);
  }
}
