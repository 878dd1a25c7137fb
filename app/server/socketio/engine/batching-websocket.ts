import type { IncomingMessage } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { textFrame } from '../frame.ts';
import { batchTurn } from './turn-batch.ts';

/**
 * For Engine.IO's `wsEngine`: what a connection is sent in one turn of the event loop leaves in one write. A client that
 * connects would cost six otherwise: the answer to its upgrade, Engine.IO's open, Socket.IO's connect, and what a hub
 * says first.
 */
export class BatchingWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, WebSocket: BatchingWebSocket });
  }

  override handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    callback: (client: WebSocket, request: IncomingMessage) => void,
  ): void {
    batchTurn(socket as TcpSocket);
    super.handleUpgrade(request, socket, head, callback as never);
  }
}

/** Bytes that may wait in the TCP socket before Engine.IO waits with more: then it can leave out what is volatile. */
const mostAhead = 16_384;

/** What is touched of ws 8 beyond its public API; a version without it sends as ws does. */
interface WebSocketInternals {
  readonly _socket?: TcpSocket | null;
}

type Sent = (error?: Error) => void;

class BatchingWebSocket extends WebSocket {
  /** Engine.IO sends its next packet once this one is sent; while little waits, it is as good as that at once. */
  override send(data: unknown, options?: unknown, callback?: unknown): void {
    const tcp = (this as unknown as WebSocketInternals)._socket;
    const isBatched =
      typeof data === 'string' &&
      typeof options === 'function' &&
      this.readyState === WebSocket.OPEN &&
      tcp !== null &&
      tcp !== undefined &&
      tcp.writableLength <= mostAhead;
    if (!isBatched) {
      super.send(data as string, options as object, callback as Sent);
      return;
    }
    batchTurn(tcp);
    tcp.write(textFrame(data));
    (options as Sent)();
  }
}
