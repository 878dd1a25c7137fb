import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { createAuthenticator } from '../../../app/server/auth/authenticator.ts';
import { openBackplane } from '../../../app/server/redis/backplane.ts';
import { openRedisStore } from '../../../app/server/rooms/store/store.ts';
import { attachRooms } from '../../../app/server/socketio/attach-rooms.ts';
import { authenticateHandshakes, identityOf } from '../../../app/server/socketio/handshake.ts';
import { benchAuth } from '../bench-token.ts';
import { readServerEnvironment, serve } from './report.ts';
import { serviceLog } from './service-log.ts';

/** The delivery contract and tokens on an ordinary Socket.IO server, as the service has them. */
const { redisUrl, instance } = readServerEnvironment();
const backplane = await openBackplane({
  sources: { url: redisUrl },
  instance,
  deployment: 'bench',
  log: serviceLog,
});
if (!backplane.links) throw new Error('REDIS_URL names no Redis');
const http = createServer();
const io = new Server(http, { perMessageDeflate: false });
const chat = hub('/chat');
chat.use(authenticateHandshakes(createAuthenticator(benchAuth), () => undefined));
const rooms = attachRooms(chat, {
  subjectOf: (socket) => identityOf(socket).subject,
  store: openRedisStore({ links: backplane.links, deployment: 'bench' }),
  slimConnections: true,
});

await serve(http, async () => {
  await io.close();
  rooms.close();
  await backplane.close();
});

/** The service has a Socket.IO of its own in its folder: the same version, but not the same type. */
function hub(name: string): Parameters<typeof attachRooms>[0] {
  return io.of(name) as unknown as Parameters<typeof attachRooms>[0];
}
