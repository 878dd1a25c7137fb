import type { Identity } from '../auth/identity.ts';
import type { HubProtocol } from './protocol/messages.ts';
import type { Transport } from './transports/transport.ts';

/** A client, as a hub knows it. */
export interface SignalRConnection {
  readonly id: string;
  /** Undefined: nobody is authenticated. */
  readonly identity: Identity | undefined;
  /** The client's, as far as proxies are believed. */
  readonly address: string;
  readonly transport: Pick<Transport, 'name'>;
  /** Undefined until the handshake is done. */
  readonly protocol: HubProtocol | undefined;
  /** The handshake is done, and the connection has not ended. */
  readonly connected: boolean;
  readonly waitingBytes: number;
  /** Calls a method of the client that answers nothing. */
  send(target: string, ...args: readonly unknown[]): void;
  /** Writes a record of its protocol that was made for others, too. */
  write(record: Buffer): void;
  /** Calls a method of the client. @throws Error what the client answered, or that it did not in time */
  invoke(target: string, args: readonly unknown[], timeoutMs?: number): Promise<unknown>;
  /**
   * Ends the connection, and its client comes back by itself: behind all that it was sent, and behind the answers to
   * what it called. @param discard at once; what waits is dropped
   */
  close(discard?: boolean): void;
  /** Ends the connection behind all that was sent; its client does not come back by itself. @param error why */
  dismiss(error?: string): void;
  /** Ends the connection at once, and drops what waits. Its client comes back by itself, if it reconnects at all. */
  terminate(): void;
}

/** What SignalR's clients call. It knows connections, and neither transports nor encodings. */
export interface SignalRHub {
  /** A method by its name, in any case; undefined: there is none. */
  find(target: string): SignalRMethod | undefined;
  /** The handshake is done. What the client calls waits for it. @throws Error when the connection is to end */
  connected?(connection: SignalRConnection): void | Promise<void>;
  /** @param reason such as `transport close`, for the log */
  disconnected?(connection: SignalRConnection, reason: string): void;
  /** A client was not let in, with the code of the refusal. @param connection for the log */
  refused?(error: Error, code: string, connection: string): void;
  /** A connection is ended, for its client does not read what it is sent. */
  slow?(connection: SignalRConnection): void;
}

/** Streams that a client sends stand behind the other arguments, as `AsyncIterable`. */
export type SignalRMethod =
  | {
      readonly kind: 'invocation';
      /** @param json the arguments' JSON as the client wrote it, where it wrote JSON */
      run(connection: SignalRConnection, args: readonly unknown[], json?: () => readonly string[]): unknown;
    }
  | {
      readonly kind: 'stream';
      /** @param signal aborted with a `StreamEnd` when no more is wanted */
      run(
        connection: SignalRConnection,
        args: readonly unknown[],
        signal: AbortSignal,
        json?: () => readonly string[],
      ): AsyncIterable<unknown>;
    };

/** What went wrong, for the client to read. It sees nothing of any other error. */
export class HubError extends Error {
  override readonly name: string = 'HubError';
}

/** The user may not call this. */
export class UnauthorizedError extends HubError {
  override readonly name = 'UnauthorizedError';
}
