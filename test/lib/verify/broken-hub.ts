import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Event, Server, type Socket } from 'socket.io';
import type { Acknowledgement, JoinAnswer, JoinRequest, Position } from '../../../app/protocol/hub.ts';
import { attachRooms } from '../../../app/server/rooms/attach.ts';
import { openMemoryStore } from '../../../app/server/rooms/store.ts';

/** Where a service breaks the delivery contract; it keeps the rest. */
export interface Breaks {
  /** Changes what a join is answered. */
  readonly join?: (answer: JoinAnswer, request: JoinRequest) => JoinAnswer;
  /** Changes what a publish is answered. */
  readonly publish?: (answer: Position) => Position;
  /** Takes senders for others than they are. */
  readonly subjectOf?: (socket: Socket) => string;
}

/** A service of one instance whose chat hub breaks the contract. */
export async function openBrokenHub(breaks: Breaks): Promise<{ url: string; close(): Promise<void> }> {
  const http = createServer((_request, response) => response.end());
  const io = new Server(http, { serveClient: false });
  const chat = io.of('/chat');
  chat.use((socket, next) => {
    socket.use((event, pass) => {
      breakAnswer(event, breaks);
      pass();
    });
    next();
  });
  const { subjectOf } = breaks;
  attachRooms(chat, { store: openMemoryStore(), ...(subjectOf && { subjectOf }) });
  chat.on('connection', (socket) => socket.emit('welcome', { instance: 'only' }));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: () => io.close(),
  };
}

function breakAnswer(event: Event, { join, publish }: Breaks): void {
  const [name, request] = event;
  if (name === 'join' && join) changeAnswer<JoinAnswer>(event, (answer) => join(answer, request));
  if (name === 'publish' && publish) changeAnswer<Position>(event, publish);
}

function changeAnswer<T extends object>(event: Event, change: (answer: T) => T): void {
  const reply = event[2] as (answer: Acknowledgement<T>) => void;
  event[2] = (answer: Acknowledgement<T>) => reply(answer.ok ? { ok: true, ...change(answer) } : answer);
}
