import type { IncomingMessage } from 'node:http';
import { AuthenticationError } from '../../auth/errors.ts';
import type { Identity } from '../../auth/identity.ts';
import type { ConnectionClaims } from '../connection/connection-token.ts';
import type { Newcomer, Sessions } from '../connection/sessions.ts';
import type { SignalRHub } from '../hub.ts';
import type { ErrorReply } from './replies.ts';
import { type HubRequest, tokenOf } from './request.ts';

export interface NewcomersOptions {
  /**
   * Who a token is of; undefined where nobody is authenticated.
   * @throws AuthenticationError (or rejects with it)
   */
  readonly authenticate: (token: string | undefined) => Identity | undefined | Promise<Identity | undefined>;
  /**
   * Looks at each negotiation and at whatever is to become a connection: a token that was negotiated once may come
   * again and again. @returns undefined: it may go on. @default all may
   */
  readonly refuse?: (request: IncomingMessage) => ErrorReply | undefined;
  readonly addressOf: (request: IncomingMessage) => string;
  /** Whether this instance takes new connections; while not, it negotiates for others. @default it does */
  readonly takesClients?: () => boolean;
}

/** Undefined: nobody is authenticated. */
interface Known {
  readonly known: Identity | undefined;
}

/** Who wants to connect, and whether it may. */
export class Newcomers {
  readonly #options: NewcomersOptions;
  readonly #sessions: Sessions;

  constructor(options: NewcomersOptions, sessions: Sessions) {
    this.#options = options;
    this.#sessions = sessions;
  }

  /** Whether this instance takes new connections. */
  get areTaken(): boolean {
    return this.#options.takesClients?.() ?? true;
  }

  /** @returns undefined: it may go on */
  refuse(request: IncomingMessage): ErrorReply | undefined {
    return this.#options.refuse?.(request);
  }

  /** @param connection for the log */
  async authenticate(asked: HubRequest, connection: string): Promise<Known | ErrorReply> {
    try {
      return { known: await this.#options.authenticate(tokenOf(asked)) };
    } catch (error) {
      return refusalOf(error, asked.hub, connection);
    }
  }

  newcomer({ request, hub }: HubRequest, claims: ConnectionClaims, identity: Identity | undefined): Newcomer {
    return { claims, identity, hub, address: this.#options.addressOf(request) };
  }

  /** @returns why not. Who is admitted must be opened or released */
  admit(newcomer: Newcomer): ErrorReply | undefined {
    try {
      this.#sessions.admit(newcomer);
      return undefined;
    } catch (error) {
      return refusalOf(error, newcomer.hub, newcomer.claims.connectionId);
    }
  }
}

/** Of a token that is not taken, or of a fault of ours, of which the client hears nothing. */
function refusalOf(error: unknown, hub: SignalRHub, connection: string): ErrorReply {
  if (error instanceof AuthenticationError) {
    hub.refused?.(error, error.code, connection);
    return { status: error.code === 'unavailable' ? 503 : 401, message: error.message };
  }
  hub.refused?.(error as Error, 'unavailable', connection);
  return { status: 503, message: 'the service failed to authenticate this; its log says why' };
}
