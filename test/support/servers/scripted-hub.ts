import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import type {
  Acknowledgement,
  ErrorReply,
  JoinReply,
  JoinRequest,
  Message,
  Position,
  PublishRequest,
} from '../../../app/protocol/hub.ts';

type Answer<T> = Acknowledgement<T> | undefined;
type Method<Request, T> = (request: Request, socket: Socket) => Answer<T> | Promise<Answer<T>>;

/** A real Socket.IO server whose hub replies as a test says, to see what the client does then. */
export interface ScriptedHub {
  readonly url: string;
  readonly joins: JoinRequest[];
  readonly publishes: PublishRequest[];
  readonly leaves: string[];
  /** Clients that were let in, from the start. */
  readonly sockets: number;
  /** Answers the next joins; undefined answers never. */
  onJoin: Method<JoinRequest, JoinReply>;
  onPublish: Method<PublishRequest, Position>;
  /** Emits to every client. */
  emit(event: string, payload: unknown): void;
  /** Ends every connection as a dying server does: the clients come back. */
  cut(): void;
  /** Asks every client to go, as `socket.disconnect(true)` does. */
  disconnectByName(): void;
  /** Refuses so many clients with this code. @param times @default all from now on */
  refuse(code: string, times?: number): void;
  close(): Promise<void>;
}

export async function openScriptedHub(): Promise<ScriptedHub> {
  const http = createServer();
  const io = new Server(http, { serveClient: false });
  const chat = io.of('/chat');
  let sockets = 0;
  const hub: ScriptedHub = {
    url: '',
    get sockets() {
      return sockets;
    },
    joins: [],
    publishes: [],
    leaves: [],
    onJoin: () => joined(0),
    onPublish: () => ({ ok: true, ...at(1) }),
    emit: (event, payload) => chat.emit(event, payload),
    cut: () => {
      for (const socket of chat.sockets.values()) socket.conn.close();
    },
    disconnectByName: () => chat.disconnectSockets(true),
    refuse: (code, times = Number.POSITIVE_INFINITY) => {
      let left = times;
      chat.use((_socket, next) => {
        left -= 1;
        next(left < 0 ? undefined : Object.assign(new Error(code), { data: { code } }));
      });
    },
    close: async () => {
      await io.close();
    },
  };
  chat.on('connection', (socket) => {
    sockets += 1;
    serve(socket, hub);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return Object.assign(hub, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
}

function serve(socket: Socket, hub: ScriptedHub): void {
  const reply = async <T>(answer: Answer<T> | Promise<Answer<T>>, send: (answer: Answer<T>) => void) => {
    const ended = await answer;
    if (ended) send(ended);
  };
  socket.on('join', (request, send) => {
    hub.joins.push(request);
    void reply(hub.onJoin(request, socket), send);
  });
  socket.on('publish', (request, send) => {
    hub.publishes.push(request);
    void reply(hub.onPublish(request, socket), send);
  });
  socket.on('leave', ({ room }, send) => {
    hub.leaves.push(room);
    send({ ok: true });
  });
}

export function at(offset: number, epoch = 'E1'): Position {
  return { epoch, offset };
}

/** A message of the room `r` whose body is its offset. */
export function message(offset: number, more: Partial<Message> = {}): Message {
  return { room: 'r', ...at(offset), id: `id ${offset}`, from: 'ann', at: 0, body: offset, ...more };
}

/** The answer of a join that lost nothing. */
export function joined(offset: number, more: Partial<JoinReply> = {}): { ok: true } & JoinReply {
  return { ok: true, ...at(offset), recovered: true, messages: [], more: false, ...more };
}

export function errorReply(code: ErrorReply['error']['code']): ErrorReply {
  return { ok: false, error: { code, message: code } };
}
