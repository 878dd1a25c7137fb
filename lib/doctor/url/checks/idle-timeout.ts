import { setTimeout as delay } from 'node:timers/promises';
import { duration } from '../../../verify/wording.ts';
import { notChecked, passed } from '../../finding.ts';
import { type Check, type Finding, failed } from '../check.ts';
import type { ProbeSocket } from '../probe-socket.ts';
import {
  connectPacket,
  isHeartbeat as isEngineHeartbeat,
  isOpening,
  openEngineSocket,
} from '../protocols/engine-io.ts';
import { patienceMs } from '../protocols/session.ts';
import { handshakeRecord, isHeartbeat as isHubHeartbeat, openHubSocket } from '../protocols/signalr.ts';
import type { Endpoint, Subject } from '../subject.ts';

/** A connection on which nothing moves outlasts the time between two heartbeats. It watches beside the other checks. */
export class IdleWatch {
  readonly #finding: Promise<Finding>;
  readonly check: Check;

  constructor(subject: Subject, endpoint: Endpoint) {
    this.#finding = watch(subject, endpoint);
    // Who awaits it gets the error.
    this.#finding.catch(() => undefined);
    this.check = {
      name: endpoint.protocol === 'socketio' ? 'idle-timeout' : 'hub-idle-timeout',
      run: () => this.#finding,
    };
  }
}

async function watch(subject: Subject, { protocol, path }: Endpoint): Promise<Finding> {
  const isEngine = protocol === 'socketio';
  const opened = await (isEngine ? openEngineSocket : openHubSocket)(subject, path);
  if ('refusal' in opened) return notChecked('no WebSocket opens');
  const { socket } = opened;
  try {
    const intervalMs = isEngine ? await enterNamespace(socket, subject) : undefined;
    if (!isEngine) socket.send(handshakeRecord);
    const isHeartbeat = isEngine ? isEngineHeartbeat : isHubHeartbeat;
    return await awaitHeartbeat(socket, isHeartbeat, intervalMs, subject);
  } finally {
    socket.close();
  }
}

/** @returns the interval of the heartbeats that the handshake names, in milliseconds */
async function enterNamespace(socket: ProbeSocket, subject: Subject): Promise<number | undefined> {
  const opening = await socket.next(isOpening, patienceMs);
  socket.send(connectPacket(subject));
  if (opening === undefined) return undefined;
  return (JSON.parse(opening.slice(1)) as { pingInterval?: number }).pingInterval;
}

/** Nobody says goodbye: a hop cut the connection. */
const withoutGoodbye = 1006;

async function awaitHeartbeat(
  socket: ProbeSocket,
  isHeartbeat: (text: string) => boolean,
  intervalMs: number | undefined,
  { longestSilenceMs, signal }: Subject,
): Promise<Finding> {
  const every = intervalMs === undefined ? '' : `, a heartbeat every ${duration(intervalMs)}`;
  const deadline = performance.now() + longestSilenceMs;
  let silentFor = 0;
  while (socket.closeCode === undefined && !signal.aborted && performance.now() < deadline) {
    if (socket.received.some(isHeartbeat))
      return passed(`a WebSocket was silent for ${duration(silentFor)} until the heartbeat${every}`);
    silentFor = performance.now() - socket.movedAt;
    await delay(20);
  }
  if (socket.closeCode === undefined)
    return notChecked(
      `a WebSocket was silent for ${duration(silentFor)}, and is open${every}: no heartbeat came meanwhile; --idle SECONDS waits longer`,
    );
  const silence = duration((socket.closedAt ?? 0) - socket.movedAt);
  if (socket.closeCode !== withoutGoodbye)
    return notChecked(`the server ended the WebSocket by itself after ${silence} (code ${socket.closeCode})`);
  return failed({
    found: `a WebSocket was cut after ${silence} on which nothing moved${every}`,
    cause: 'the idle timeout of a proxy is shorter than the time between two heartbeats',
    fix: `raise it above that, better to 120 s (nginx: proxy_read_timeout; HAProxy: timeout tunnel; ALB: idle_timeout), or let the server send heartbeats more often (Socket.IO: pingInterval; SignalR: KeepAliveInterval)`,
  });
}
