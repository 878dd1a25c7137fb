/**
 * An existing Socket.IO server that is given the delivery contract: its clients `join`, `publish` and hear
 * `message`, on as many instances as share the Redis.
 *
 *     PORT=4000 REDIS_URL=redis://127.0.0.1:6379 node --import tsx test/examples/plain-socketio.ts
 */
import { Server } from 'socket.io';
import { attachRooms } from '../../app/server/socketio/attach-rooms.ts';

const io = new Server(Number(process.env.PORT ?? 4000));
const rooms = attachRooms(io.of('/chat'), { redis: process.env.REDIS_URL });

// Every instance says it, and the same id makes it one message.
setInterval(() => {
  const second = Math.floor(Date.now() / 1_000);
  rooms.publish('clock', { second }, { id: `tick-${second}` }).catch(console.error);
}, 1_000);
