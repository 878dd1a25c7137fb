import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { Server } from 'socket.io';
import { type Backplane, openBackplane } from '../../app/server/redis/backplane.ts';
import { type AttachedRooms, attachRooms } from '../../app/server/rooms/attach.ts';
import type { FanoutKind } from '../../app/server/rooms/fanout.ts';
import { openRedisStore } from '../../app/server/rooms/store.ts';
import { silent } from './link.ts';
import { eventually } from './wait.ts';

export interface LocalInstanceOptions {
  readonly id: string;
  /** The Redis setting, in StackExchange's shape. */
  readonly redis: string;
  readonly fanout: FanoutKind;
}

/** A Socket.IO server with rooms attached, in the test's own process: what others build with the library. */
export class LocalInstance {
  readonly id: string;
  readonly port: number;
  readonly #http: HttpServer;
  readonly #io: Server;
  readonly #backplane: Backplane;
  readonly #rooms: AttachedRooms;
  readonly #connections = new Set<TcpSocket>();

  private constructor(id: string, http: HttpServer, backplane: Backplane, fanout: FanoutKind) {
    this.id = id;
    this.#http = http;
    this.#backplane = backplane;
    this.port = (http.address() as AddressInfo).port;
    this.#io = new Server(http, { serveClient: false, transports: ['websocket'] });
    const store = openRedisStore({
      links: backplane.links as NonNullable<Backplane['links']>,
      deployment: 'realtime',
    });
    this.#rooms = attachRooms(this.#io.of('/chat'), { store, fanout });
    http.on('connection', (connection: TcpSocket) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
  }

  static async start({ id, redis, fanout }: LocalInstanceOptions): Promise<LocalInstance> {
    const backplane = await openBackplane({
      sources: { connectionString: redis },
      deployment: 'realtime',
      instance: id,
      log: silent,
    });
    const http = createServer().listen(0, '127.0.0.1');
    await once(http, 'listening');
    await eventually('the backplane to be joined', () => backplane.status === 'joined', 40_000);
    return new LocalInstance(id, http, backplane, fanout);
  }

  /** Hangs up on everybody at once, with no word to anyone. */
  async kill(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    this.#http.close();
    this.#rooms.close();
    await Promise.all([this.#backplane.close(), this.#io.close()]);
  }
}
