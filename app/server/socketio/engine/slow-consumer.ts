import type { ServerResponse } from 'node:http';
import { packetOverhead } from '../../connections/waiting-bytes.ts';
import {
  type Connection,
  controlFrame,
  type EngineInternals,
  endAtOnce,
  internalsOf,
  watchControlFrames,
} from './internals.ts';

/** What is known of a packet that Engine.IO is about to send. */
interface CreatedPacket {
  readonly data?: string | Buffer;
}

/** What waits for one client. */
class Outbox {
  readonly mostBytes: number;
  onSlow: (() => void) | undefined;
  /** In Engine.IO's buffer; of no meaning while that is empty. */
  buffered = 0;
  /** Answers to polls that the client has not read yet, each with its bytes. */
  polls: Map<ServerResponse, number> | undefined;
  polledBytes = 0;
  isEnding = false;

  constructor(mostBytes: number, onSlow: (() => void) | undefined) {
    this.mostBytes = mostBytes;
    this.onSlow = onSlow;
  }
}

// On the connection itself: to look it up by the connection would cost more than what is done with it.
const outboxKey = Symbol('outbox');

interface BoundConnection {
  [outboxKey]?: Outbox;
}

function outboxOf(connection: Connection): Outbox | undefined {
  return (connection as BoundConnection)[outboxKey];
}

/**
 * Counts all that waits for a client, whatever it is and whoever sends it: messages, replies, presence, events,
 * answers to pings; in Engine.IO's buffer, in TCP sockets, and in answers to polls. Past the bound the connection is
 * ended.
 *
 * @param mostBytes may wait; what is sent next is not counted, so that one large reply alone ends nothing
 * @param onSlow called once when it is ended; a second one for the same connection is not
 */
export function boundOutbox(connection: Connection, mostBytes: number, onSlow?: () => void): void {
  const known = outboxOf(connection);
  if (known) {
    known.onSlow ??= onSlow;
    return;
  }
  (connection as BoundConnection)[outboxKey] = new Outbox(mostBytes, onSlow);
  connection.on('packetCreate', onPacketCreate);
  watchControlFrames(connection);
  connection.on(controlFrame, onControlFrame);
  // A WebSocket's bytes are seen in its TCP socket; an answer to a poll leaves Engine.IO's sight.
  if (connection.transport.name === 'polling') connection.on('flush', onFlush);
}

/** Whether more may be written past Engine.IO; where not, the connection is ended. @param waiting in its TCP socket */
export function mayWrite(connection: Connection, waiting: number): boolean {
  const outbox = outboxOf(connection);
  if (!outbox || waiting <= outbox.mostBytes) return true;
  disconnectSlowConsumer(connection, outbox);
  return false;
}

/** Bytes that wait for a client, as far as they are counted. */
export function waitingBytes(connection: Connection): number {
  const engine = internalsOf(connection);
  const outbox = outboxOf(connection);
  return (outbox ? bufferedIn(engine, outbox) + outbox.polledBytes : 0) + bytesInTcp(engine);
}

// One function for all connections each: a closure would stand in the memory of every one.
function onPacketCreate(this: Connection, { data }: CreatedPacket): void {
  const outbox = outboxOf(this) as Outbox;
  const engine = internalsOf(this);
  const buffered = bufferedIn(engine, outbox);
  outbox.buffered = buffered + packetOverhead + (data === undefined ? 0 : Buffer.byteLength(data));
  const waiting = buffered + outbox.polledBytes + bytesInTcp(engine);
  if (waiting > outbox.mostBytes) disconnectSlowConsumer(this, outbox);
}

function bufferedIn({ writeBuffer }: EngineInternals, outbox: Outbox): number {
  return writeBuffer.length === 0 ? 0 : outbox.buffered;
}

/** The answers to pings wait in the TCP socket alone. */
function onControlFrame(this: Connection): void {
  mayWrite(this, bytesInTcp(internalsOf(this)));
}

function bytesInTcp({ transport }: EngineInternals): number {
  return transport.socket?._socket?.writableLength ?? 0;
}

function onFlush(this: Connection): void {
  const outbox = outboxOf(this) as Outbox;
  const { name, res } = internalsOf(this).transport;
  if (name !== 'polling' || !res) return;
  const bytes = outbox.buffered;
  outbox.polls ??= new Map();
  outbox.polls.set(res, bytes);
  outbox.polledBytes += bytes;
  const isRead = () => {
    if (outbox.polls?.delete(res)) outbox.polledBytes -= bytes;
  };
  res.once('finish', isRead);
  res.once('close', isRead);
}

/**
 * Ends the connection of a client that does not read what it is sent: it comes back and recovers from the log.
 * At once: a closing handshake would wait behind what the client does not read, and keep the memory that this is
 * to free. In the next tick: Engine.IO is in the middle of sending.
 */
function disconnectSlowConsumer(connection: Connection, outbox: Outbox): void {
  if (outbox.isEnding) return;
  outbox.isEnding = true;
  process.nextTick(() => {
    outbox.onSlow?.();
    endAtOnce(connection);
    for (const response of outbox.polls?.keys() ?? []) response.socket?.destroy();
  });
}
