import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { Redis } from 'ioredis';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { readServerEnvironment, serve } from './report.ts';

/**
 * The least that rooms on several instances can cost in Node: bare `ws`, one Redis channel a room, one
 * frame built once and written to each TCP socket. It promises nothing.
 *
 * A client sends `j:room` and gets it back when it is a member; `p:room:body` goes to the members as `body`.
 */
const { redisUrl } = readServerEnvironment();
// Without `enableAutoPipelining`, which costs a fifth more here: few turns of the event loop have two commands.
const publisher = new Redis(redisUrl);
const subscriber = new Redis(redisUrl);
const rooms = new Map<string, Set<WebSocket>>();

subscriber.on('messageBuffer', (channel: Buffer, body: Buffer) => {
  const members = rooms.get(channel.toString());
  if (!members) return;
  const frame = frameOf(body);
  for (const member of members) tcpSocketOf(member).write(frame);
});

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', (data: RawData) => take(socket, data.toString()));
});

function take(socket: WebSocket, text: string): void {
  if (text.startsWith('j:')) {
    void join(socket, text.slice(2)).then(() => socket.send(text));
    return;
  }
  const colon = text.indexOf(':', 2);
  void publisher.publish(text.slice(2, colon), text.slice(colon + 1));
}

async function join(socket: WebSocket, room: string): Promise<void> {
  const members = rooms.get(room) ?? new Set();
  rooms.set(room, members);
  members.add(socket);
  socket.once('close', () => members.delete(socket));
  await subscriber.subscribe(room);
}

/** A final, unmasked text frame in one buffer. */
function frameOf(body: Buffer): Buffer {
  const headerLength = body.length < 126 ? 2 : 4;
  const frame = Buffer.allocUnsafe(headerLength + body.length);
  frame[0] = 0x81;
  if (headerLength === 2) {
    frame[1] = body.length;
  } else {
    frame[1] = 126;
    frame.writeUInt16BE(body.length, 2);
  }
  body.copy(frame, headerLength);
  return frame;
}

function tcpSocketOf(socket: WebSocket): Socket {
  return (socket as unknown as { _socket: Socket })._socket;
}

await serve(http, async () => {
  for (const socket of server.clients) socket.close();
  http.close();
});
