import { setImmediate } from 'node:timers/promises';
import { AuthenticationError } from '../auth/errors.ts';
import { hashOfToken, type Identity } from '../auth/identity.ts';
import type { DenyList } from './deny-list.ts';

/** Whose tokens, or which token. */
export interface RevocationTarget {
  readonly subject?: string | undefined;
  /** The token's `jti`. */
  readonly tokenId?: string | undefined;
}

/** Whose token it is, and which. */
export type TokenHolder = Pick<Identity, 'subject' | 'tokenHash'>;

/** A client whose connection ends when its token is revoked. */
export interface RevocableClient {
  readonly identity: TokenHolder;
  /** Says goodbye: its client does not come back by itself. */
  disconnect(): void;
  terminate(): void;
}

/** Milliseconds in which a client may go by itself before its transport is ended. */
const goodbyeMs = 1_000;
/** Milliseconds for which connections are ended at a time: whatever else waits has its turn behind them. */
const sliceMs = 10;

/** Tokens that are not taken any more, and the connections that were made with them. */
export class Revocations {
  readonly #list: DenyList;
  readonly #asked: (() => void)[] = [];

  /** @param clients asked at each revocation */
  constructor(list: DenyList, clients: () => Iterable<RevocableClient>) {
    this.#list = list;
    this.onRevoked((isRevoked) => void endConnections(clients(), isRevoked));
  }

  /**
   * Takes none of them for a time, on all instances, and ends the connections that they opened. A token is revoked
   * for as long as it would hold; a subject until its tokens from before have ended, or for as long as it is out.
   *
   * @throws DenyListError
   */
  async revoke(target: RevocationTarget, forMs: number): Promise<void> {
    for (const entry of entriesOf(hashed(target))) await this.#list.deny(entry, forMs);
    for (const handler of this.#asked) handler();
  }

  /** @throws DenyListError */
  async restore(target: RevocationTarget): Promise<void> {
    for (const entry of entriesOf(hashed(target))) await this.#list.lift(entry);
  }

  isRevoked(holder: TokenHolder): boolean {
    return entriesOf(holder).some((entry) => this.#list.denies(entry));
  }

  /** Called for each revocation on the one instance that was asked for it. */
  onAsked(handler: () => void): void {
    this.#asked.push(handler);
  }

  /** Called on every instance, once for all that were revoked at about the same time. */
  onRevoked(handler: (isRevoked: (holder: TokenHolder) => boolean) => void): void {
    this.#list.onDenied((entries) => {
      const revoked = [...entries].some(
        (entry) => entry.startsWith('subject:') || entry.startsWith('token:'),
      );
      if (revoked) handler((holder) => entriesOf(holder).some((entry) => entries.has(entry)));
    });
  }

  /** Waits for nobody: what is revoked is known here. @throws AuthenticationError */
  admit(identity: Identity): void {
    if (!this.#list.isKnown) {
      throw new AuthenticationError('unavailable', 'who is denied is not known here yet: try again');
    }
    if (this.isRevoked(identity)) throw new AuthenticationError('revoked', 'this token was revoked');
  }
}

function hashed({ subject, tokenId }: RevocationTarget): Partial<TokenHolder> {
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(tokenId === undefined ? {} : { tokenHash: hashOfToken(tokenId) }),
  };
}

function entriesOf({ subject, tokenHash }: Partial<TokenHolder>): string[] {
  const entries: string[] = [];
  if (subject !== undefined) entries.push(`subject:${subject}`);
  if (tokenHash !== undefined) entries.push(`token:${tokenHash}`);
  return entries;
}

/** One look at all connections, however many were revoked. */
async function endConnections(
  clients: Iterable<RevocableClient>,
  isRevoked: (holder: TokenHolder) => boolean,
): Promise<void> {
  const revoked = [...clients].filter(({ identity }) => isRevoked(identity));
  let until = performance.now() + sliceMs;
  for (const client of revoked) {
    end(client);
    if (performance.now() < until) continue;
    await setImmediate();
    until = performance.now() + sliceMs;
  }
}

/** A client that does not read its goodbye is not waited for. */
function end(client: RevocableClient): void {
  client.disconnect();
  setTimeout(() => client.terminate(), goodbyeMs).unref();
}
