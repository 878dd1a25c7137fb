import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { readServerEnvironment, serve } from './report.ts';
import { openRooms } from './socket-io-rooms.ts';

/** The strongest that Socket.IO itself offers: the streams adapter with connection state recovery. */
const { redisUrl } = readServerEnvironment();
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(new Redis(redisUrl)),
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
});
openRooms(io);
await serve(http, () => io.close());
