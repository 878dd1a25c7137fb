import { createServer } from 'node:http';
import { createAuthenticator } from '../../../app/server/auth/authenticator.ts';
import { ConnectionLimit } from '../../../app/server/connections/connection-limit.ts';
import { largestBody } from '../../../app/server/http/create.ts';
import { defineHub } from '../../../app/server/hubs/define.ts';
import { openHub } from '../../../app/server/hubs/open.ts';
import { createLog } from '../../../app/server/process/log.ts';
import { connectedRedis } from '../../../app/server/redis/access.ts';
import { openBackplane } from '../../../app/server/redis/backplane.ts';
import { Relay } from '../../../app/server/relay/relay.ts';
import { relayEngine } from '../../../app/server/relay/relay-engine.ts';
import { openRedisStore } from '../../../app/server/rooms/store/store.ts';
import { mountSignalR } from '../../../app/server/signalr/mount.ts';
import { serveHub } from '../../../app/server/socketio/serve-hub.ts';
import { createSocketServer } from '../../../app/server/socketio/server.ts';
import { benchAuth } from '../bench-token.ts';
import { readServerEnvironment, serve } from './report.ts';

/** One hub for clients of Socket.IO and of SignalR, as the service mounts them, without limits for one user. */
const deployment = 'bench';
const { redisUrl, instance } = readServerEnvironment();
const log = createLog('warn', instance);
const backplane = await openBackplane({ sources: { url: redisUrl }, instance, deployment, log });
const { links } = backplane;
if (!links) throw new Error('REDIS_URL names no Redis');
const chat = openHub(defineHub({ name: 'chat', presence: false }), {
  store: openRedisStore({ links, deployment }),
  backplane,
  instance,
  deployment,
  log,
});
const http = createServer();
const io = createSocketServer(http, { corsOrigins: [] }, []);
const authenticate = createAuthenticator(benchAuth, log);
serveHub(io, chat, { authenticate });
const relay = new Relay({
  deployment,
  instance,
  redis: (key) => connectedRedis(links, key),
  server: http,
  host: () => '127.0.0.1',
  listen: { host: '127.0.0.1', port: 0 },
  largestBody,
});
await relay.open();
links.onReturn(() => void relay.announce());
relayEngine(io.engine, relay);
const signalr = mountSignalR(http, {
  deployment,
  instance,
  hubs: [chat],
  relay,
  authenticate,
  admit: () => undefined,
  gates: [],
  origins: { corsOrigins: [], trustedProxyHops: 0, onRefused: () => undefined },
  addressOf: ({ socket }) => socket.remoteAddress ?? '',
  isDraining: () => false,
  elsewhere: () => undefined,
  connectionLimit: new ConnectionLimit(Number.POSITIVE_INFINITY),
  listener: {
    connectionOpened: () => undefined,
    connectionEnded: () => undefined,
    handshakeFailed: () => undefined,
  },
  isTooMuch: () => false,
  log,
});

await serve(http, async () => {
  signalr.close();
  await Promise.all([io.close(), relay.close()]);
  await chat.close();
  await backplane.close();
});
