import type { Socket } from 'socket.io';
import { type EngineInternals, engineOf, freeTcpSocket } from './engine.ts';
import type { Fanout } from './fanout.ts';
import type { Frame } from './frame.ts';

/**
 * Writes a frame's one buffer straight to each member's TCP socket, wherever that is free. Everyone else is
 * served through the engine, in order.
 */
export function directFanout(
  overfull: (member: Socket, waitingBytes: number) => void,
  mostBytes: number,
): Fanout {
  return (members, frame) => {
    for (const member of members) {
      const waiting = deliver(member, frame);
      if (waiting > mostBytes) overfull(member, waiting);
    }
  };
}

/** @returns bytes that wait to be sent */
function deliver(member: Socket, frame: Frame): number {
  const engine = engineOf(member);
  const tcp = freeTcpSocket(engine);
  if (tcp) {
    tcp.write(frame.bytes);
    return tcp.writableLength;
  }
  member.conn.write(frame.packet);
  return waitingBytes(engine);
}

/** What waits in the engine and in the TCP socket; looked at once in 16 packets, since it walks them all. */
function waitingBytes(engine: EngineInternals): number {
  if (engine.writeBuffer.length % 16 !== 0) return 0;
  let bytes = engine.transport.socket?._socket?.writableLength ?? 0;
  for (const packet of engine.writeBuffer) bytes += packet.data?.length ?? 0;
  return bytes;
}
