import { AuthenticationError } from '../auth/errors.ts';

/** Connections of one user to one instance: a person with every device and tab has fewer. */
const mostConnections = 100;

/**
 * Bounds what one user's connections take of an instance, by whatever transport they came: all transports of a service
 * share one.
 */
export class ConnectionLimit {
  readonly #most: number;
  /** By user, with how often each connection was added as that user's. */
  readonly #connections = new Map<string, Map<object, number>>();

  /** @param most connections of one user */
  constructor(most = mostConnections) {
    this.#most = most;
  }

  /**
   * Counts a connection as this user's; one that is counted already counts once. Each `add` needs its `remove`.
   * @throws AuthenticationError when the user has too many
   */
  add(subject: string, connection: object): void {
    const connections = this.#connections.get(subject) ?? new Map<object, number>();
    if (!connections.has(connection) && connections.size >= this.#most) {
      throw new AuthenticationError('unavailable', `a user may have ${this.#most} connections: close some`);
    }
    connections.set(connection, (connections.get(connection) ?? 0) + 1);
    this.#connections.set(subject, connections);
  }

  remove(subject: string, connection: object): void {
    const connections = this.#connections.get(subject);
    const count = connections?.get(connection);
    if (!connections || count === undefined) return;
    if (count > 1) connections.set(connection, count - 1);
    else connections.delete(connection);
    if (connections.size === 0) this.#connections.delete(subject);
  }

  /** Users that are counted now. */
  get users(): number {
    return this.#connections.size;
  }
}
