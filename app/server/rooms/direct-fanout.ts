import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io';
import type { Fanout } from './fanout.ts';
import type { Frame } from './frame.ts';

/**
 * What this file touches of engine.io 6.6 and ws 8 beyond their public API. A test holds each of these to
 * the versions in the lockfile.
 */
interface EngineInternals {
  readonly readyState: string;
  readonly upgrading: boolean;
  readonly writeBuffer: readonly unknown[];
  readonly transport: {
    readonly name: string;
    readonly writable: boolean;
    readonly socket?: { readonly _socket: TcpSocket | null; readonly readyState: number };
  };
}

const webSocketOpen = 1;

/**
 * Writes a frame's one buffer straight to each member's TCP socket, wherever nothing waits before it: the
 * engine is open, on a WebSocket that is open and writable, with no upgrade under way and nothing buffered.
 * Everyone else is served through the engine, in order.
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
  const engine = member.conn as unknown as EngineInternals;
  const tcp = freeTcpSocket(engine);
  if (tcp) {
    tcp.write(frame.bytes);
    return tcp.writableLength;
  }
  member.conn.write(frame.packet);
  return waitingBytes(engine);
}

function freeTcpSocket(engine: EngineInternals): TcpSocket | undefined {
  const { transport } = engine;
  if (engine.readyState !== 'open' || engine.upgrading || engine.writeBuffer.length > 0) return undefined;
  if (transport.name !== 'websocket' || !transport.writable) return undefined;
  const { socket } = transport;
  if (socket?.readyState !== webSocketOpen) return undefined;
  return socket._socket ?? undefined;
}

/** What waits in the engine and in the TCP socket; looked at once in 16 packets, since it walks them all. */
function waitingBytes(engine: EngineInternals): number {
  if (engine.writeBuffer.length % 16 !== 0) return 0;
  let bytes = engine.transport.socket?._socket?.writableLength ?? 0;
  for (const packet of engine.writeBuffer as readonly { data?: string | Buffer }[]) {
    bytes += packet.data?.length ?? 0;
  }
  return bytes;
}
