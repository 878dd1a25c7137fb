import type { Namespace, Socket } from 'socket.io';
import type { Frame } from './frame.ts';

/**
 * How a frame reaches the members of a room on this instance.
 *
 * `direct` writes one buffer straight to each TCP socket; `adapter` goes through Socket.IO's public API and
 * costs half as much again: the way out should an upgrade of Socket.IO change what `direct` relies on.
 */
export type FanoutKind = 'direct' | 'adapter';

export type Fanout = (members: ReadonlySet<Socket>, frame: Frame) => void;

/** Sends through the namespace, encoded once. */
export function adapterFanout(namespace: Namespace): Fanout {
  return (members, frame) => {
    const [event, message] = JSON.parse(frame.packet.slice(frame.packet.indexOf('['))) as [string, unknown];
    const ids = Array.from(members, (member) => member.id);
    if (ids.length > 0) namespace.local.to(ids).emit(event, message);
  };
}
