/** Notified of what happens to clients' connections, by whatever transport they come. */
export interface ConnectionListener {
  connectionOpened(): void;
  /** @param reason such as `transport close`  @param afterMs how long it lasted, in milliseconds */
  connectionEnded(reason: string, afterMs: number): void;
  /** A request that would have made or carried a connection was refused or failed. @param reason in a word */
  handshakeFailed(over: 'websocket' | 'polling', reason: string): void;
}
