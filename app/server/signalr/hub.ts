import type { SignalRConnection } from './connection.ts';

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

/** What went wrong, for the client to read. Of any other error it is told nothing. */
export class HubError extends Error {
  override readonly name: string = 'HubError';
}

/** The user may not call this. */
export class UnauthorizedError extends HubError {
  override readonly name = 'UnauthorizedError';
}
