import { io, type Socket } from 'socket.io-client';
import { eventually } from '../wait.ts';

export interface LobbyClientOptions {
  readonly token: string;
  /** @default websocket */
  readonly transport?: 'polling' | 'websocket' | undefined;
  /** Where the server is found. @default /socket.io */
  readonly path?: string;
}

/**
 * A client of the Python backend's, in the room `lobby`. It keeps a load balancer's cookies as a browser does, and enters
 * the room with each connection, as an application does.
 */
export class LobbyClient {
  readonly socket: Socket;
  /** `sender: text` of what came. */
  readonly heard: string[] = [];

  constructor(url: string, { token, transport = 'websocket', path = '/socket.io' }: LobbyClientOptions) {
    this.socket = io(url, {
      path,
      auth: { token },
      transports: [transport],
      withCredentials: true,
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
    });
    this.socket.on('message', ({ from, text }) => this.heard.push(`${from}: ${text}`));
    this.socket.on('connect', () => this.socket.emit('join', 'lobby'));
  }

  async joined(): Promise<this> {
    await eventually('a client of the lobby to be connected', () => this.socket.connected);
    expect(await this.socket.emitWithAck('join', 'lobby')).toEqual({ ok: true });
    return this;
  }

  say(text: string): Promise<unknown> {
    return this.socket.emitWithAck('message', { room: 'lobby', text });
  }
}
