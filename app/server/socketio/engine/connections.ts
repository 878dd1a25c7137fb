import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { ConnectionListener } from '../../connections/connection-listener.ts';
import type { Connection } from './internals.ts';

/** What Engine.IO calls the codes of its `connection_error`. */
const handshakeFaults: Readonly<Record<number, string>> = {
  0: 'unknown_transport',
  1: 'unknown_session',
  2: 'bad_method',
  3: 'bad_request',
  4: 'refused',
  5: 'unsupported_protocol',
};

interface HandshakeError {
  readonly req: IncomingMessage;
  readonly code: number;
}

/** Every client's connection to this instance, whatever hubs it uses. */
export class Connections implements Iterable<Connection> {
  /** Each with the time at which it was opened, in milliseconds. */
  readonly #open = new Map<Connection, number>();

  constructor(io: Server, listener?: ConnectionListener) {
    const end = (connection: Connection, reason: string) => {
      const openedAt = this.#open.get(connection);
      if (openedAt === undefined) return;
      this.#open.delete(connection);
      listener?.connectionEnded(reason, Date.now() - openedAt);
    };
    // One listener for all: a closure for each would stand in the memory of every connection.
    function onClose(this: Connection, reason: string) {
      end(this, reason);
    }
    io.engine.on('connection', (connection: Connection) => {
      this.#open.set(connection, Date.now());
      connection.on('close', onClose);
      listener?.connectionOpened();
    });
  }

  get count(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#open.keys();
  }
}

/** Notifies of handshakes that make no connection, also of those that Engine.IO does not hear of. */
export function watchHandshakes(io: Server, listener: ConnectionListener): void {
  io.engine.on('connection_error', ({ req, code }: HandshakeError) => {
    const over = req.headers.upgrade === undefined ? 'polling' : 'websocket';
    listener.handshakeFailed(over, handshakeFaults[code] ?? 'other');
  });
  // A handshake that ws itself refuses, for a bad key or version.
  const { ws } = io.engine as unknown as { ws?: EventEmitter };
  ws?.on('wsClientError', () => listener.handshakeFailed('websocket', 'malformed'));
}
