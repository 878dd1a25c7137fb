import type { ServerResponse } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io';

/** One client's connection, whatever namespaces are on it. */
export type Connection = Socket['conn'];

/**
 * What is touched of engine.io 6.6 and ws 8 beyond their public API, to write to a client without them. A test
 * holds each of these to the versions in the lockfile.
 */
export interface EngineInternals {
  readonly readyState: string;
  readonly upgrading: boolean;
  readonly writeBuffer: readonly unknown[];
  readonly transport: {
    readonly name: string;
    readonly writable: boolean;
    readonly socket?: WebSocketInternals;
    /** Of polling: the answer to the poll that waits. */
    readonly res?: ServerResponse | null;
  };
}

const connectionKey = Symbol('connection');

interface WebSocketInternals {
  readonly _socket: TcpSocket | null;
  readonly readyState: number;
  terminate(): void;
  on(event: 'ping' | 'pong', listener: (this: WebSocketInternals) => void): unknown;
  [connectionKey]?: Connection;
}

const webSocketOpen = 1;

export function internalsOf(connection: Connection): EngineInternals {
  return connection as unknown as EngineInternals;
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

/** Ends a connection without a closing handshake: what waits on it, either way, is dropped. */
export function endAtOnce(connection: Connection): void {
  const { transport } = internalsOf(connection);
  if (transport.name === 'websocket' && transport.socket) transport.socket.terminate();
  else connection.close(true);
}

/**
 * A connection emits it for each ping and pong frame of its client: ws answers pings by itself, and Engine.IO sees
 * neither.
 */
export const controlFrame = 'control frame';

/** From now on this connection tells of control frames. To be called again does no harm. */
export function watchControlFrames(connection: Connection): void {
  const { name, socket } = internalsOf(connection).transport;
  if (name === 'polling' && !connection.listeners('upgrade').includes(onUpgrade)) {
    connection.on('upgrade', onUpgrade);
  }
  if (!socket || socket[connectionKey]) return;
  socket[connectionKey] = connection;
  socket.on('ping', onControlFrame);
  socket.on('pong', onControlFrame);
}

// One function for all connections each: a closure would stand in the memory of every one.
function onUpgrade(this: Connection): void {
  watchControlFrames(this);
}

function onControlFrame(this: WebSocketInternals): void {
  this[connectionKey]?.emit(controlFrame);
}
