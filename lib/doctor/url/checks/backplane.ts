import { probeHubs } from '../../../verify/target/hub-probe.ts';
import { askReadiness } from '../../../verify/target/readiness.ts';
import { count, list } from '../../../verify/wording.ts';
import { notChecked, passed } from '../../finding.ts';
import { type Check, type Finding, failed } from '../check.ts';
import type { ProbeSocket } from '../probe-socket.ts';
import { connectPacket, eventPacket, isOpening, openEngineSocket } from '../protocols/engine-io.ts';
import { patienceMs } from '../protocols/session.ts';
import { handshakeRecord, invocation, isInvocation, isWelcome, openHubSocket } from '../protocols/signalr.ts';
import type { Subject } from '../subject.ts';
import { foreignBackplane } from './redis.ts';

/** What one instance sends, clients of the others get. */
export const backplane: Check = {
  name: 'backplane',
  run: (subject, probes) => (subject.isOurs ? ownBackplane(subject) : foreignBackplane(subject, probes)),
};

/** Enough to meet two instances behind any proxy, cookies or not. */
const connections = 6;

/** This project's service names the instance, and says whether it has a Redis. */
async function ownBackplane(subject: Subject): Promise<Finding> {
  const { url, token, signal } = subject;
  const patience = { timeoutMs: patienceMs, signal };
  const auth = token === undefined ? {} : { token };
  const probes = await Promise.all(
    Array.from({ length: connections }, () => probeHubs(url, ['chat'], auth, patience)),
  );
  const names = [...new Set(probes.flat().flatMap(({ instance }) => instance ?? []))].sort();
  const readiness = await askReadiness({ url }, patienceMs);
  const alone = readiness.some((reply) => reply.readiness === 'single-instance');
  const lost = readiness.some((reply) => reply.readiness === 'degraded');
  if (names.length > 1 && alone)
    return failed({
      found: `${count(names.length, 'instance')} answer (${list(names)}), and /health/ready says single-instance`,
      cause:
        'they run without a backplane: each knows its own clients alone. It fails with two, and works with one',
      fix: 'give all of them the same REDIS_URL (or ConnectionStrings__Redis); until then, run one',
    });
  if (lost)
    return failed({
      found: '/health/ready says degraded',
      cause: 'an instance has lost its Redis, and waits for it',
      fix: "look whether Redis runs and answers; the instance's log has the cause, and it joins again by itself",
    });
  if (names.length === 0) return notChecked('no hub let a client in: give --token');
  const said = alone ? 'single-instance mode: it needs no Redis' : 'they share a Redis';
  return passed(
    `${count(names.length, 'instance')} answered in ${connections} connections (${list(names)}), ${said}`,
  );
}

const longestWaitMs = 4_000;

/** Only a message proves that clients of all instances get it. It is sent if the user names one alone. */
export const broadcastReaches: Check = {
  name: 'broadcast',
  applies: ({ broadcast }) => broadcast !== undefined,
  run: async (subject) => {
    const { event, values } = subject.broadcast as NonNullable<Subject['broadcast']>;
    const isEngine = subject.endpoints[0]?.protocol === 'socketio';
    const sockets = await openAll(subject);
    try {
      const heard = (socket: ProbeSocket) => socket.received.some(isEngine ? isEvent : isInvocation);
      const before = sockets.filter(heard).length;
      if (before > 0)
        return notChecked('the server sends events of its own meanwhile, which can not be told apart');
      sockets[0]?.send(isEngine ? eventPacket(subject, event, values) : invocation(event, values));
      const deadline = performance.now() + longestWaitMs;
      while (!sockets.every(heard) && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 20));
      return assess(event, sockets.filter(heard).length, sockets.length);
    } finally {
      for (const socket of sockets) socket.close();
    }
  },
};

const isEvent = (text: string): boolean => text.startsWith('42');

function assess(event: string, heard: number, all: number): Finding {
  if (heard === all) return passed(`one client sent ${event}: ${heard} of ${all} clients heard of it`);
  // The sender and those whom a server tells may be different ones.
  if (heard <= 1)
    return notChecked(
      `one client sent ${event}, and ${heard === 0 ? 'nobody' : 'one'} of ${all} heard of it: is it one that the server sends to all?`,
    );
  return failed({
    found: `one client sent ${event}: ${heard} of ${all} clients heard of it`,
    cause:
      'the instances share no backplane: a message reaches the clients of the instance that sends it alone. It fails with two, and works with one',
    fix: 'give all instances one backplane with the same Redis (Socket.IO: @socket.io/redis-adapter; python-socketio: AsyncRedisManager 5.15.1 or newer; ASP.NET: AddStackExchangeRedis)',
  });
}

async function openAll(subject: Subject): Promise<readonly ProbeSocket[]> {
  const [endpoint] = subject.endpoints;
  if (!endpoint) return [];
  const opened = await Promise.all(
    Array.from({ length: connections }, () =>
      (endpoint.protocol === 'socketio' ? openEngineSocket : openHubSocket)(subject, endpoint.path),
    ),
  );
  const sockets = opened.flatMap((each) => ('socket' in each ? [each.socket] : []));
  await Promise.all(sockets.map((socket) => enter(socket, endpoint.protocol === 'socketio', subject)));
  return sockets;
}

async function enter(socket: ProbeSocket, isEngine: boolean, subject: Subject): Promise<void> {
  if (isEngine) await socket.next(isOpening, patienceMs);
  socket.send(isEngine ? connectPacket(subject) : handshakeRecord);
  await socket.next(isEngine ? (text) => text.startsWith('40') : isWelcome, patienceMs);
}
