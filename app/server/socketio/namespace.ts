import type { Namespace, Socket } from 'socket.io';
import type { ErrorReply } from '../../protocol/hub.ts';
import { longestWayMs, watchStalls } from '../process/stall-watch.ts';
import type { Handler } from '../rooms/rpc.ts';
import { AdapterFormat } from './adapter-format.ts';
import { DirectFormat } from './direct-format.ts';
import { endAtOnce } from './engine/internals.ts';
import { slimConnection } from './engine/slim-connection.ts';
import { boundOutbox } from './engine/slow-consumer.ts';
import { memberOf, type SocketFormat, type SocketMember, setMember } from './member.ts';
import { type Acknowledge, exposePacketIds, sendReply } from './reply.ts';
import { keepWireText, requestTextOf } from './wire-text.ts';

/**
 * How the members of a room on this instance are reached.
 *
 * `direct` writes one buffer straight to each TCP socket; `adapter` goes through Socket.IO's public API and
 * costs half as much again: the way out should an upgrade of Socket.IO change what `direct` relies on.
 */
export type FanoutKind = 'direct' | 'adapter';

export interface ServedNamespace<M extends SocketMember> {
  readonly namespace: Namespace;
  readonly fanout: FanoutKind;
  /** What its sockets may ask, by the event's name. */
  readonly handlers: ReadonlyMap<string, Handler<M>>;
  /** Serves all other events. @default they are left out */
  readonly events?: AnyEventHandler<M> | undefined;
  readonly maxWaitingBytes: number;
  readonly slimConnections: boolean;
  /** Milliseconds for which a repeated id is answered with the first one's position. */
  readonly idWindowMs: number;
  createMember(socket: Socket, format: SocketFormat): M;
  entered(member: M): void;
  left(member: M, reason: string): void;
  /** A connection was ended, for its client does not read what it is sent. */
  onSlow(): void;
}

/** Serves events by whatever name. */
export interface AnyEventHandler<M extends SocketMember> {
  /** Never rejects. */
  reply(
    member: M,
    event: string,
    args: readonly unknown[],
  ): Promise<{ readonly ok: true; readonly values: readonly unknown[] } | ErrorReply>;
  /** Reports a fault, such as a value that can't be sent. @returns what the sender gets */
  failed(fault: Error, member: M): ErrorReply;
}

/**
 * Makes each socket of a namespace a member, and its events invocations of the handlers.
 *
 * One listener serves all sockets and finds its own in `this`: a closure for each would be a tenth of what a
 * connection takes.
 *
 * @returns ends it, for sockets that come from then on
 */
export function serveNamespace<M extends SocketMember>(served: ServedNamespace<M>): () => void {
  const { namespace, fanout, maxWaitingBytes, slimConnections, onSlow } = served;
  const format = fanout === 'adapter' ? new AdapterFormat(namespace) : new DirectFormat(namespace);
  const listeners = Array.from(
    served.handlers,
    ([event, handler]) => [event, listenerOf<M>(handler)] as const,
  );
  const onAny = served.events && anyListenerOf<M>(served.events, served.handlers);
  function onDisconnect(this: Socket, reason: string) {
    served.left(memberOf(this) as M, reason);
  }
  const onConnection = (socket: Socket) => {
    const member = served.createMember(socket, format);
    setMember(member);
    boundOutbox(socket.conn, maxWaitingBytes, onSlow);
    keepWireText(socket);
    if (fanout === 'direct') exposePacketIds(socket);
    if (slimConnections) slimConnection(socket);
    for (const [event, listener] of listeners) socket.on(event, listener);
    if (onAny) socket.onAny(onAny);
    socket.on('disconnect', onDisconnect);
    served.entered(member);
  };
  namespace.on('connection', onConnection);
  const endStallWatch = endOldConnections(namespace, served.idWindowMs);
  return () => {
    namespace.off('connection', onConnection);
    endStallWatch();
  };
}

/** Acknowledges exactly once. A client that wants no acknowledgement gets none. */
function listenerOf<M extends SocketMember>(handler: Handler<M>) {
  return async function (this: Socket, ...parts: unknown[]): Promise<void> {
    // `emitWithAck('join')` without a payload puts the acknowledgement first.
    const acknowledge = typeof parts.at(-1) === 'function' ? (parts.pop() as Acknowledge) : undefined;
    const [request] = parts;
    const member = memberOf(this) as M;
    const reply = await handler.reply(member, request, requestTextOf(request));
    if (!acknowledge) return;
    try {
      sendReply(this, acknowledge, reply);
    } catch (fault) {
      sendReply(this, acknowledge, handler.failed(fault as Error, member, request));
    }
  };
}

/** What other listeners serve is theirs. */
function anyListenerOf<M extends SocketMember>(
  events: AnyEventHandler<M>,
  handlers: ReadonlyMap<string, unknown>,
) {
  return async function (this: Socket, event: unknown, ...parts: unknown[]): Promise<void> {
    const name = String(event);
    if (handlers.has(name)) return;
    const acknowledge = typeof parts.at(-1) === 'function' ? (parts.pop() as Acknowledge) : undefined;
    const member = memberOf(this) as M;
    const reply = await events.reply(member, name, parts);
    if (!acknowledge) return;
    try {
      acknowledge(...(reply.ok ? reply.values : [reply]));
    } catch (fault) {
      acknowledge(events.failed(fault as Error, member));
    }
  };
}

/**
 * What clients sent before this process was stopped for longer than they wait, they have sent again to others: it must
 * not be published once more behind the window of ids. So it is not read any more.
 */
function endOldConnections(namespace: Namespace, idWindowMs: number): () => void {
  return watchStalls(longestWayMs(idWindowMs), () => {
    for (const { conn } of namespace.sockets.values()) endAtOnce(conn);
  });
}
