import type { Socket } from 'socket.io';
import { AuthenticationError } from '../auth/errors.ts';
import type { Identity } from '../auth/identity.ts';

type Connection = Socket['conn'];

/** Connections of one user to one instance: a person with every device and tab has fewer. */
const mostConnections = 100;

/** Bounds what one user's connections take of an instance. */
export class ConnectionLimit {
  readonly #most: number;
  readonly #connections = new Map<string, Set<Connection>>();

  constructor(most = mostConnections) {
    this.#most = most;
  }

  /** Counts a connection until it closes; the hubs on it are one. @throws AuthenticationError */
  admit({ subject }: Identity, { conn }: Socket): void {
    const open = this.#connections.get(subject) ?? new Set();
    if (open.has(conn)) return;
    if (open.size >= this.#most) {
      throw new AuthenticationError('unavailable', `a user may have ${this.#most} connections: close some`);
    }
    this.#connections.set(subject, open.add(conn));
    conn.once('close', () => {
      open.delete(conn);
      if (open.size === 0 && this.#connections.get(subject) === open) this.#connections.delete(subject);
    });
  }
}
