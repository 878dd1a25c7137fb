import type { Namespace, Socket } from 'socket.io';
import { AuthenticationError } from '../auth/errors.ts';
import { type Identity, identityOf } from '../auth/identity.ts';
import type { Register } from './register.ts';

/** Whose tokens, or which token. */
export interface RevocationTarget {
  readonly subject?: string | undefined;
  /** The token's `jti`. */
  readonly tokenId?: string | undefined;
}

/** Milliseconds in which a client may go by itself before its transport is ended. */
const goodbyeMs = 1_000;

/** Tokens that are not taken any more, and the connections that were made with them. */
export class Revocations {
  readonly #register: Register;

  /** @param namespaces asked at each revocation */
  constructor(register: Register, namespaces: () => Iterable<Namespace>) {
    this.#register = register;
    register.onAdded((entry) => {
      if (!entry.startsWith('subject:') && !entry.startsWith('token:')) return;
      for (const namespace of namespaces()) {
        for (const socket of namespace.sockets.values()) {
          if (entriesOf(identityOf(socket)).includes(entry)) end(socket);
        }
      }
    });
  }

  /**
   * Takes none of them for a time, on all instances, and ends the connections that they opened. A token is revoked
   * for as long as it would hold; a subject until its tokens from before have ended, or for as long as it is out.
   *
   * @throws RegisterError
   */
  async revoke(target: RevocationTarget, forMs: number): Promise<void> {
    for (const entry of entriesOf(target)) await this.#register.add(entry, forMs);
  }

  /** @throws RegisterError */
  async restore(target: RevocationTarget): Promise<void> {
    for (const entry of entriesOf(target)) await this.#register.remove(entry);
  }

  isRevoked(identity: Identity): boolean {
    return entriesOf(identity).some((entry) => this.#register.has(entry));
  }

  /** Waits for nobody: what is revoked is known here. @throws AuthenticationError */
  admit(identity: Identity): void {
    if (this.isRevoked(identity)) throw new AuthenticationError('revoked', 'this token was revoked');
  }
}

function entriesOf({ subject, tokenId }: RevocationTarget): string[] {
  const entries: string[] = [];
  if (subject !== undefined) entries.push(`subject:${subject}`);
  if (tokenId !== undefined) entries.push(`token:${tokenId}`);
  return entries;
}

/** A client that does not read its goodbye is not waited for. */
function end(socket: Socket): void {
  const { conn } = socket;
  socket.disconnect(true);
  setTimeout(() => {
    const { transport } = conn as unknown as { transport: { socket?: { terminate(): void } } };
    transport.socket?.terminate();
  }, goodbyeMs).unref();
}
