import { hasExpired, type Identity } from './identity.ts';

/** Milliseconds from one look to the next: a token is used so much longer than it says. */
const lookEveryMs = 10_000;

/** A client that was let in by a token. */
export interface TokenBearer {
  readonly identity: Identity;
  /** Closes its connection; its client comes back by itself and is asked for a token anew. */
  reconnect(): void;
}

/**
 * Makes clients whose token has ended come back with another one: who has one goes on without having missed anything.
 *
 * @param clients asked at each look
 * @returns ends it
 */
export function reconnectExpired(clients: () => Iterable<TokenBearer>, everyMs = lookEveryMs): () => void {
  const timer = setInterval(() => {
    const now = Date.now();
    for (const client of clients()) if (hasExpired(client.identity, now)) client.reconnect();
  }, everyMs).unref();
  return () => clearInterval(timer);
}
