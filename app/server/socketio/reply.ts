import type { Socket } from 'socket.io';
import { type Reply, ReplyText } from '../rooms/rpc.ts';
import { freeTcpSocket, internalsOf } from './engine/internals.ts';
import { mayWrite } from './engine/slow-consumer.ts';
import { batchTurn } from './engine/turn-batch.ts';
import { textFrame } from './frame.ts';
import { acknowledgement } from './packet.ts';

/** Acknowledges one event: Socket.IO's own, which also tells which packet it is for where the socket says that. */
export interface Acknowledge {
  (...values: readonly unknown[]): void;
  readonly packetId?: number;
}

interface SocketInternals {
  ack?(this: Socket, id: number): Acknowledge;
}

/**
 * Lets a socket's acknowledgements tell the id of their packet, which Socket.IO 4.8 hides in them. A version that makes
 * them otherwise is left as it is: every reply then goes the public way.
 */
export function exposePacketIds(socket: Socket): void {
  const internals = socket as unknown as SocketInternals;
  if (typeof internals.ack === 'function') internals.ack = acknowledgeWithId;
}

function acknowledgeWithId(this: Socket, packetId: number): Acknowledge {
  const socketIo = Object.getPrototypeOf(this) as Required<SocketInternals>;
  return Object.assign(socketIo.ack.call(this, packetId), { packetId });
}

/**
 * Replies with JSON, in one frame that is written straight to the TCP socket where that is free. Through
 * Socket.IO a reply to a publish costs more than everything else that is done with it.
 *
 * @throws Error when the reply is no JSON; nothing was sent then
 */
export function sendReply(socket: Socket, acknowledge: Acknowledge, reply: Reply): void {
  const { packetId } = acknowledge;
  if (packetId === undefined) {
    acknowledge(reply instanceof ReplyText ? JSON.parse(reply.text) : reply);
    return;
  }
  const text = reply instanceof ReplyText ? reply.text : JSON.stringify(reply);
  const packet = acknowledgement(socket.nsp.name, packetId, text);
  const tcp = freeTcpSocket(internalsOf(socket.conn));
  // Engine.IO puts its own type in front.
  if (!tcp) socket.conn.write(packet.slice(1));
  else if (mayWrite(socket.conn, tcp.writableLength)) {
    // The message that a sender hears of itself mostly comes in the same turn.
    batchTurn(tcp);
    tcp.write(textFrame(packet));
  }
}
