import type { Socket } from 'socket.io';
import { anonymousSubject } from '../rooms/subject.ts';
import type { Authenticator } from './authenticator.ts';
import { AuthenticationError } from './errors.ts';
import type { Identity } from './identity.ts';

/** One more look at who passed, for example whether it was banned. @throws AuthenticationError */
export type Admit = (identity: Identity, socket: Socket) => void;

type Middleware = (socket: Socket, next: (error?: Error) => void) => void;

/**
 * A namespace's middleware that gives each socket its identity, or refuses it. A middleware is run for its own
 * namespace alone, so each hub has it.
 */
export function authenticateHandshakes(authenticate: Authenticator | undefined, admit: Admit): Middleware {
  return (socket, next) => {
    const pass = (identity: Identity) => {
      admit(identity, socket);
      socket.data.identity = identity;
      next();
    };
    const fail = (error: Error) => next(refusal(error));
    try {
      const identity = authenticate ? authenticate(socket.handshake.auth.token) : anonymous(socket);
      if (identity instanceof Promise) identity.then(pass).catch(fail);
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
function refusal(error: Error): Error {
  const isTold = error instanceof AuthenticationError;
  const message = isTold ? error.message : 'the service failed to authenticate this; its log says why';
  const code = isTold ? error.code : 'unavailable';
  return Object.assign(new Error(message), { data: { code } });
}
