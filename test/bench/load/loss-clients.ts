import { Agent } from 'node:http';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { io } from 'socket.io-client';
import { openHub } from '../../../app/client/hub.ts';
import { makeBenchToken } from '../bench-token.ts';
import type { DialectName } from './dialects.ts';

/** A client as an application would have it: the library does what it does about a lost connection. */
export interface LossClient {
  readonly joined: Promise<unknown>;
  /** Resolves once acknowledged. @throws Error when it may not have been taken */
  publish(number: number): Promise<unknown>;
}

export interface LossClientOptions {
  readonly ports: readonly number[];
  /** Of `ports`: where it connects first. */
  readonly first: number;
  readonly room: string;
  readonly onMessage: (number: number) => void;
  /** Told by the library that something is lost. */
  readonly onLost: () => void;
}

interface Body {
  readonly number: number;
  readonly text: string;
}

const acknowledgeWithinMs = 2_000;
const text = 'Sixty-eight letters of small talk, as a chat message would hold them';

export function openLossClient(dialect: DialectName, options: LossClientOptions): LossClient {
  return dialect === 'hub' ? openHubClient(options) : openSocketIoClient(options);
}

/** Connection state recovery is the server's to offer; the client takes it, or joins again. */
function openSocketIoClient({ room, onMessage, ...where }: LossClientOptions): LossClient {
  const socket = io('http://instances', { transports: ['websocket'], ...connectingTo(where) });
  const joined = new Promise<void>((resolve) => {
    socket.on('connect', () => {
      if (!socket.recovered) socket.emit('join', room, () => resolve());
    });
  });
  socket.on('message', ({ number }: Body) => onMessage(number));
  return {
    joined,
    publish: async (number) => {
      // What Socket.IO keeps while it is disconnected would go out before the room is joined again.
      if (!socket.connected) throw new Error('not connected');
      const body: Body = { number, text };
      await socket.timeout(acknowledgeWithinMs).emitWithAck('publish', room, body);
    },
  };
}

let opened = 0;

function openHubClient({ room: name, onMessage, onLost, ...where }: LossClientOptions): LossClient {
  opened += 1;
  const options = { ...connectingTo(where), auth: { token: makeBenchToken(`user-${opened}`) } };
  const hub = openHub<Body>('http://instances', 'chat', options);
  const room = hub.join(name, { onMessage: ({ body }) => onMessage(body.number), onLost });
  return { joined: room.joined, publish: (number) => room.publish({ number, text }) };
}

function connectingTo({ ports, first }: Pick<LossClientOptions, 'ports' | 'first'>) {
  // The option's type is the browser's; in Node it is what `http.request` takes.
  return { forceNew: true, agent: new SpreadingAgent(ports, first) as unknown as string };
}

/** In place of a load balancer: each connection of a client goes to the next instance. */
class SpreadingAgent extends Agent {
  readonly #ports: readonly number[];
  #next: number;

  constructor(ports: readonly number[], first: number) {
    super();
    this.#ports = ports;
    this.#next = first;
  }

  override createConnection(): TcpSocket {
    const port = this.#ports[this.#next % this.#ports.length] as number;
    this.#next += 1;
    return connectTcp(port, '127.0.0.1');
  }
}
