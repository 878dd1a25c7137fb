import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { askRequest, cancelRequest } from '../../../app/protocol/schemas.ts';
import { type Answers, openAnswers } from '../../../app/server/answers/answers.ts';
import type { AnswerLimits } from '../../../app/server/answers/turn.ts';
import { openMemoryLeases } from '../../../app/server/leases/leases.ts';
import { openRedisLeases } from '../../../app/server/leases/redis-leases.ts';
import { openOfflineModel } from '../../../app/server/models/offline.ts';
import type { ModelProvider } from '../../../app/server/models/provider.ts';
import { type Backplane, openBackplane } from '../../../app/server/redis/backplane.ts';
import { createHandler } from '../../../app/server/rooms/rpc.ts';
import { openMemoryStore, openRedisStore } from '../../../app/server/rooms/store/store.ts';
import { attachRooms } from '../../../app/server/socketio/attach-rooms.ts';
import { memberOf, type SocketMember } from '../../../app/server/socketio/member.ts';
import { silent } from '../redis/link.ts';
import { eventually } from '../wait.ts';

export interface AnswersInstanceOptions {
  readonly id: string;
  /** The Redis setting; without one everything is in memory. */
  readonly redis?: string;
  /** @default the offline model, a word every 5 ms */
  readonly provider?: ModelProvider;
  readonly limits?: Partial<AnswerLimits>;
}

/** A server in this process whose `/llm` answers: an instance of its own, with its own connections and lease. */
export interface AnswersInstance {
  readonly url: string;
  readonly answers: Answers;
  /** Leaves as an instance does at SIGTERM. */
  stop(): Promise<void>;
  /** Loses its connections and its clients at once: to the others it is dead. */
  cutOff(): Promise<void>;
}

export async function startAnswers(options: AnswersInstanceOptions): Promise<AnswersInstance> {
  const { id, redis, provider = openOfflineModel({ paceMs: 5 }), limits = {} } = options;
  const sources = redis === undefined ? {} : { url: redis };
  const backplane = await openBackplane({ sources, deployment: 'test', instance: id, log: silent });
  if (redis !== undefined) await eventually('the backplane', () => backplane.status === 'joined');
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'] });
  const namespace = io.of('/llm');
  const store = backplane.links
    ? openRedisStore({ links: backplane.links, deployment: 'test' })
    : openMemoryStore();
  const rooms = attachRooms(namespace, { store });
  const leases = openLeases(backplane, id);
  const { links } = backplane;
  const shared = { hub: 'llm', deployment: 'test', rooms, leases, links, provider, limits, log: silent };
  const answers = openAnswers(shared);
  const onFault = (error: Error) => {
    throw error;
  };
  const ask = createHandler<typeof askRequest, SocketMember>({
    schema: askRequest,
    method: async ({ subject }, request) => ({ ok: true, ...(await answers.ask(subject, request)) }),
    onFault,
  });
  const cancel = createHandler<typeof cancelRequest, SocketMember>({
    schema: cancelRequest,
    method: async ({ subject }, { turn }) => {
      await answers.cancel(subject, turn);
      return { ok: true };
    },
    onFault,
  });
  namespace.on('connection', (socket) => {
    socket.emit('welcome', { instance: id });
    socket.on('ask', async (request, reply) =>
      reply(await ask.reply(memberOf(socket) as SocketMember, request)),
    );
    socket.on('cancel', async (request, reply) =>
      reply(await cancel.reply(memberOf(socket) as SocketMember, request)),
    );
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const leave = async () => {
    rooms.close();
    await io.close();
    await leases.close();
    await backplane.close();
  };
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    answers,
    stop: async () => {
      await answers.close();
      await leave();
    },
    cutOff: async () => {
      await backplane.close();
      await leave();
    },
  };
}

function openLeases(backplane: Backplane, instance: string) {
  const { links } = backplane;
  if (!links) return openMemoryLeases();
  const times = { beatEveryMs: 200, leaseMs: 1_200, longestGapMs: 800, quietMs: 1_000 };
  return openRedisLeases({ links, deployment: 'test', instance, log: silent, times });
}
