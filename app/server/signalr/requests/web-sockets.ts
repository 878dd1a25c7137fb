import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { ConnectionListener } from '../../connections/connection-listener.ts';
import { onEntryLeaving } from '../../net/relayed.ts';
import type { SigningKeys } from '../../relay/signing-keys.ts';
import { hashOfSubject, isFresh, newClaims, readToken } from '../connection/connection-token.ts';
import type { Newcomer, Sessions } from '../connection/sessions.ts';
import { WebSocketTransport } from '../transports/web-socket.ts';
import type { Newcomers } from './newcomers.ts';
import { type ErrorReply, unknownConnection } from './replies.ts';
import type { HubRequest } from './request.ts';

export interface WebSocketsOptions {
  readonly instance: string;
  readonly keys: SigningKeys;
  readonly sessions: Sessions;
  readonly newcomers: Newcomers;
  readonly listener: ConnectionListener | undefined;
  /** Bytes of one frame. */
  readonly largestFrame: number;
}

/** A request for a WebSocket, with what its client has sent behind it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Serves connections over WebSockets, whether they were negotiated or not. */
export class WebSockets {
  readonly #options: WebSocketsOptions;
  readonly #server: WebSocketServer;

  constructor(options: WebSocketsOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.largestFrame,
    });
    // A handshake that ws itself refuses, for a bad key or version.
    this.#server.on('wsClientError', (_error, socket) => {
      options.listener?.handshakeFailed('websocket', 'malformed');
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
  }

  /** @returns why not; undefined when the socket is taken care of */
  async upgrade(asked: HubRequest, upgrade: Upgrade): Promise<ErrorReply | undefined> {
    const { request, query, path } = asked;
    const { newcomers, keys, instance } = this.#options;
    const refusal = newcomers.refuse(request);
    if (refusal) return refusal;
    const token = query.get('id');
    const negotiated = token === null ? undefined : await readToken(token, path, keys);
    const identity = await newcomers.authenticate(asked, negotiated?.connectionId ?? 'upgrade');
    if ('status' in identity) return identity;
    const { known } = identity;
    const subjectHash = hashOfSubject(known?.subject);
    const claims = token === null ? newClaims({ instance, hub: path, subjectHash }) : negotiated;
    if (!claims || claims.subjectHash !== subjectHash || !isFresh(claims)) return unknownConnection;
    if (upgrade.socket.destroyed) return undefined;
    const newcomer = newcomers.newcomer(asked, claims, known);
    const full = newcomers.admit(newcomer);
    if (!full) this.#accept(newcomer, upgrade);
    return full;
  }

  close(): void {
    this.#server.close();
  }

  #accept(newcomer: Newcomer, { request, socket, head }: Upgrade): void {
    const { sessions } = this.#options;
    let isOpen = false;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      isOpen = true;
      const { connection } = sessions.open(newcomer, new WebSocketTransport(webSocket));
      const onControlFrame = () => sessions.controlFrame(connection);
      webSocket.on('message', (data) => sessions.received(connection, data as Buffer));
      webSocket.on('ping', onControlFrame);
      webSocket.on('pong', onControlFrame);
      // What is no WebSocket any more is closed by its library.
      webSocket.on('error', () => undefined);
      webSocket.once('close', () => connection.transportClosed());
      onEntryLeaving(request, () => connection.close());
    });
    if (!isOpen) sessions.release(newcomer);
  }
}
