import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { Server } from 'socket.io';
import { type Backplane, openBackplane } from '../../../app/server/redis/backplane.ts';
import { openServiceStore } from '../../../app/server/rooms/store/service-store.ts';
import type { Acks } from '../../../app/server/rooms/store/store.ts';
import { type AttachedRooms, attachRooms } from '../../../app/server/socketio/attach-rooms.ts';
import type { FanoutKind } from '../../../app/server/socketio/namespace.ts';
import { silent } from '../redis/link.ts';
import { eventually } from '../wait.ts';

export interface LocalInstanceOptions {
  readonly id: string;
  /** The Redis setting, in StackExchange's shape. */
  readonly redis: string;
  readonly fanout: FanoutKind;
  /** @default 'primary' */
  readonly acks?: Acks;
  /** @default 'required' */
  readonly backplane?: 'required' | 'preferred';
  /** How long ids are known, in milliseconds. @default as in the service */
  readonly idWindowMs?: number;
  /** Messages that a room's log has. @default as in the service */
  readonly logMessages?: number;
  /** How often it is looked where the setting leads, in milliseconds. @default as in the service */
  readonly lookUpEveryMs?: number;
}

/** A dead connection is found in twice the time, in milliseconds; the service takes 45 s. */
const pingMs = 2_000;

/** A Socket.IO server with rooms attached, in this process: what others build with the library. */
export class LocalInstance {
  readonly id: string;
  readonly port: number;
  readonly #http: HttpServer;
  readonly #io: Server;
  readonly #backplane: Backplane;
  readonly #rooms: AttachedRooms;
  readonly #connections = new Set<TcpSocket>();

  private constructor(http: HttpServer, backplane: Backplane, options: LocalInstanceOptions) {
    const { id, fanout, acks = 'primary', backplane: mode = 'required', idWindowMs, logMessages } = options;
    this.id = id;
    this.#http = http;
    this.#backplane = backplane;
    this.port = (http.address() as AddressInfo).port;
    this.#io = new Server(http, {
      serveClient: false,
      transports: ['websocket'],
      pingInterval: pingMs,
      pingTimeout: pingMs,
    });
    const store = openServiceStore(backplane, {
      deployment: 'realtime',
      backplane: mode,
      roomLog: {
        ...(idWindowMs === undefined ? {} : { idWindowMs }),
        ...(logMessages === undefined ? {} : { maxLength: logMessages }),
      },
    });
    this.#rooms = attachRooms(this.#io.of('/chat'), { store, fanout, acks });
    http.on('connection', (connection: TcpSocket) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
  }

  static async start(options: LocalInstanceOptions): Promise<LocalInstance> {
    const { id, redis, lookUpEveryMs } = options;
    const backplane = await openBackplane({
      sources: { connectionString: redis },
      deployment: 'realtime',
      instance: id,
      log: silent,
      ...(lookUpEveryMs === undefined ? {} : { lookUpEveryMs }),
    });
    const http = createServer().listen(0, '127.0.0.1');
    await once(http, 'listening');
    await eventually('the backplane to be joined', () => backplane.status === 'joined');
    return new LocalInstance(http, backplane, options);
  }

  /** It shares its rooms with the others now. */
  get isJoined(): boolean {
    return this.#backplane.status === 'joined';
  }

  /** Calls back at each change of it. */
  onJoined(listener: (isJoined: boolean) => void): void {
    this.#backplane.on('status', () => listener(this.isJoined));
  }

  /** Hangs up on everybody at once, with no word to anyone. */
  async kill(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    this.#http.close();
    this.#rooms.close();
    await Promise.all([this.#backplane.close(), this.#io.close()]);
  }
}
