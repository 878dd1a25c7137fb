import type { Server } from 'socket.io';

/** Rooms as Socket.IO's own guide has them: at most once, to whoever is there. */
export function openRooms(io: Server): void {
  io.on('connection', (socket) => {
    socket.on('join', async (room: string, reply: () => void) => {
      await socket.join(room);
      reply();
    });
    socket.on('publish', (room: string, body: unknown, reply?: () => void) => {
      io.to(room).emit('message', body);
      reply?.();
    });
  });
}
