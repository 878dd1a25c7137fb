import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io';
import { engineOf, freeTcpSocket } from './engine.ts';
import { textFrame } from './frame.ts';
import { acknowledgement } from './packet.ts';

/** Answers one event: Socket.IO's own, which also tells which packet it answers where the socket says that. */
export interface Reply {
  (answer: unknown): void;
  readonly packetId?: number;
}

interface SocketInternals {
  ack?(this: Socket, id: number): Reply;
}

/**
 * Lets a socket's replies tell the id of their packet, which Socket.IO 4.8 hides in them. A version that makes
 * them otherwise is left as it is: every reply then goes the public way.
 */
export function tellPacketIds(socket: Socket): void {
  const internals = socket as unknown as SocketInternals;
  if (typeof internals.ack === 'function') internals.ack = replyWithId;
}

function replyWithId(this: Socket, packetId: number): Reply {
  const socketIo = Object.getPrototypeOf(this) as Required<SocketInternals>;
  return Object.assign(socketIo.ack.call(this, packetId), { packetId });
}

/**
 * Answers with JSON, in one frame that is written straight to the TCP socket where that is free. Through
 * Socket.IO an answer to a publish costs more than everything else that is done with it.
 */
export function sendReply(socket: Socket, reply: Reply, answer: object): void {
  const { packetId } = reply;
  const tcp = packetId === undefined ? undefined : freeTcpSocket(engineOf(socket));
  if (packetId === undefined || !tcp) {
    reply(answer);
    return;
  }
  corkForThisTurn(tcp);
  tcp.write(textFrame(acknowledgement(socket.nsp.name, packetId, answer)));
}

/** The message that a sender hears of itself mostly comes in the same turn of the event loop: one write for both. */
function corkForThisTurn(tcp: TcpSocket): void {
  tcp.cork();
  setImmediate(uncork, tcp);
}

function uncork(tcp: TcpSocket): void {
  tcp.uncork();
}
