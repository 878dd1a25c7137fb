import type { Socket } from 'socket.io';
import type { Frame, FrameFormat, Member } from '../rooms/member.ts';
import { type Connection, endAtOnce } from './engine/internals.ts';
import { waitingBytes } from './engine/slow-consumer.ts';

/** How the sockets of a namespace are written to. */
export interface SocketFormat extends FrameFormat {
  message(text: Buffer): SocketFrame;
  event(name: string, ...args: readonly unknown[]): SocketFrame;
}

/** Writes itself: a socket's member is given frames of its own format alone. */
export interface SocketFrame extends Frame {
  deliverTo(member: SocketMember): void;
  offerTo(member: SocketMember): void;
}

/** A socket of a namespace as a member of the namespace's rooms. */
export class SocketMember implements Member {
  readonly socket: Socket;
  readonly connection: Connection;
  readonly subject: string;
  readonly format: SocketFormat;

  constructor(socket: Socket, subject: string, format: SocketFormat) {
    this.socket = socket;
    this.connection = socket.conn;
    this.subject = subject;
    this.format = format;
  }

  get id(): string {
    return this.socket.id;
  }

  get connected(): boolean {
    return this.socket.connected;
  }

  get waitingBytes(): number {
    return waitingBytes(this.connection);
  }

  deliver(frame: SocketFrame): void {
    frame.deliverTo(this);
  }

  offer(frame: SocketFrame): void {
    frame.offerTo(this);
  }

  send(event: string, ...args: readonly unknown[]): void {
    this.socket.emit(event, ...args);
  }

  terminate(): void {
    endAtOnce(this.connection);
  }
}

const key = Symbol('member');

interface MemberSocket<M extends SocketMember> {
  [key]?: M;
}

/** From now on the socket's events are its member's. */
export function setMember<M extends SocketMember>(member: M): void {
  (member.socket as MemberSocket<M>)[key] = member;
}

/** Undefined for a socket that came before its namespace was served. */
export function memberOf<M extends SocketMember>(socket: Socket): M | undefined {
  return (socket as MemberSocket<M>)[key];
}
