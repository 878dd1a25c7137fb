import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';

/** A Socket.IO server in this process, and clients of its namespaces. */
export interface TestServer {
  readonly io: Server;
  readonly url: string;
  /** Resolves when it is connected. */
  connect(namespace: string): Promise<Socket>;
  close(): Promise<void>;
}

export async function openServer(): Promise<TestServer> {
  const http = createServer();
  const io = new Server(http, { serveClient: false });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const clients: Socket[] = [];
  return {
    io,
    url,
    connect: async (namespace) => {
      const client = connect(`${url}/${namespace}`, { forceNew: true, transports: ['websocket'] });
      clients.push(client);
      await new Promise<void>((resolve, reject) => {
        client.once('connect', resolve);
        client.once('connect_error', reject);
      });
      return client;
    },
    close: async () => {
      for (const client of clients) client.close();
      await io.close();
    },
  };
}
