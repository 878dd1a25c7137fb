import type { SignalRConnection } from './connection.ts';

/** What SignalR's clients call. It knows connections, and neither transports nor encodings. */
export interface SignalRHub {
  /** A method by its name, in any case; undefined: there is none. */
  find(target: string): SignalRMethod | undefined;
  /** The handshake is done. What the client calls waits for it. @throws Error when the connection is to end */
  connected?(connection: SignalRConnection): void | Promise<void>;
  disconnected?(connection: SignalRConnection): void;
}

/** Streams that a client sends stand behind the other arguments, as `AsyncIterable`. */
export type SignalRMethod =
  | {
      readonly kind: 'invocation';
      run(connection: SignalRConnection, args: readonly unknown[]): unknown;
    }
  | {
      readonly kind: 'stream';
      /** @param signal the client wants no more, or is gone */
      run(
        connection: SignalRConnection,
        args: readonly unknown[],
        signal: AbortSignal,
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
