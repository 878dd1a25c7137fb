import { createHash } from 'node:crypto';
import type { Socket } from 'socket.io';
import { isName } from '../../protocol/text.ts';

/** Longest `auth.client`, in characters. */
const longestClient = 64;

/**
 * Who a socket is where nothing authenticates it: the same over its reconnects, so that a publish that is
 * repeated after one is recognized. `app/client` says a secret of its own in the handshake's `auth.client`;
 * others see its hash alone. A client that says none is another one at each connect.
 */
export function anonymousSubject(socket: Socket): string {
  const { client } = socket.handshake.auth as { client?: unknown };
  if (typeof client !== 'string' || !isName(client, longestClient)) return socket.id;
  return createHash('sha256').update(client).digest('base64url').slice(0, 20);
}
