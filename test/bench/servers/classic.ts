import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { readServerEnvironment, serve } from './report.ts';
import { openRooms } from './socket-io-rooms.ts';

/** Socket.IO as its guide sets it up for several instances: the Redis adapter, defaults everywhere. */
const { redisUrl } = readServerEnvironment();
const publisher = new Redis(redisUrl);
const http = createServer();
const io = new Server(http, { adapter: createAdapter(publisher, publisher.duplicate()) });
openRooms(io);
await serve(http, () => io.close());
