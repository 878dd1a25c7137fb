import type { Socket } from 'socket.io';
import type { Authenticator } from '../auth/authenticator.ts';
import { AuthenticationError } from '../auth/errors.ts';
import type { Identity } from '../auth/identity.ts';
import { anonymousSubject } from './subject.ts';

/** One more look at who passed, for example whether it was banned. @throws AuthenticationError */
export type Admit = (identity: Identity, socket: Socket) => void;

/** Notified of each handshake that is refused, with the code that the client gets. */
export type OnRefusal = (error: Error, code: AuthenticationError['code'], socket: Socket) => void;

type Middleware = (socket: Socket, next: (error?: Error) => void) => void;

/**
 * A namespace's middleware that gives each socket its identity, or refuses it. A middleware is run for its own
 * namespace alone, so each hub has it.
 */
export function authenticateHandshakes(
  authenticate: Authenticator | undefined,
  admit: Admit,
  onRefusal: OnRefusal = () => undefined,
): Middleware {
  return (socket, next) => {
    const pass = (identity: Identity) => {
      admit(identity, socket);
      socket.data.identity = identity;
      next();
    };
    const fail = (error: Error) => {
      const code = error instanceof AuthenticationError ? error.code : 'unavailable';
      onRefusal(error, code, socket);
      next(refusal(error, code));
    };
    try {
      const identity = authenticate ? authenticate(socket.handshake.auth.token) : anonymous(socket);
      if ('then' in identity) identity.then(pass).then(undefined, fail);
      else pass(identity);
    } catch (error) {
      fail(error as Error);
    }
  };
}

function anonymous(socket: Socket): Identity {
  return { subject: anonymousSubject(socket), guest: true };
}

/** What the client hears as `connect_error`; `data.code` is for programs. */
function refusal(error: Error, code: AuthenticationError['code']): Error {
  const isTold = error instanceof AuthenticationError;
  const message = isTold ? error.message : 'the service failed to authenticate this; its log says why';
  return Object.assign(new Error(message), { data: { code } });
}

/** The identity that the handshake gave this socket. */
export function identityOf(socket: Socket): Identity {
  return (socket.data as { identity: Identity }).identity;
}
