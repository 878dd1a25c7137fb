import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io';

/**
 * What is touched of engine.io 6.6 and ws 8 beyond their public API, to write to a client without them. A test
 * holds each of these to the versions in the lockfile.
 */
export interface EngineInternals {
  readonly readyState: string;
  readonly upgrading: boolean;
  readonly writeBuffer: readonly { readonly data?: string | Buffer }[];
  readonly transport: {
    readonly name: string;
    readonly writable: boolean;
    readonly socket?: { readonly _socket: TcpSocket | null; readonly readyState: number };
  };
}

const webSocketOpen = 1;

export function engineOf(socket: Socket): EngineInternals {
  return socket.conn as unknown as EngineInternals;
}

/**
 * The TCP socket that a whole WebSocket frame may be written to now, since nothing waits before it: the engine
 * is open, on a WebSocket that is open and writable, with no upgrade under way and nothing buffered.
 */
export function freeTcpSocket(engine: EngineInternals): TcpSocket | undefined {
  const { transport } = engine;
  if (engine.readyState !== 'open' || engine.upgrading || engine.writeBuffer.length > 0) return undefined;
  if (transport.name !== 'websocket' || !transport.writable) return undefined;
  const { socket } = transport;
  if (socket?.readyState !== webSocketOpen) return undefined;
  return socket._socket ?? undefined;
}
