import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type ServerOptions } from 'socket.io';
import {
  type AttachedRooms,
  type AttachRoomsOptions,
  attachRooms,
} from '../../../app/server/socketio/attach-rooms.ts';

/** A plain Socket.IO server in this process whose `/chat` has the delivery contract. */
export interface RoomsServer {
  readonly url: string;
  readonly io: Server;
  readonly rooms: AttachedRooms;
  close(): Promise<void>;
}

export async function startRoomsServer(
  attach: AttachRoomsOptions,
  options: Partial<ServerOptions> = {},
): Promise<RoomsServer> {
  const http = createServer();
  const io = new Server(http, options);
  const rooms = attachRooms(io.of('/chat'), attach);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    io,
    rooms,
    close: async () => {
      await rooms.close();
      await io.close();
    },
  };
}
