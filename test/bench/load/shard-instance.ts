import { setTimeout as delay } from 'node:timers/promises';
import { type Backplane, openBackplane } from '../../../app/server/redis/backplane.ts';
import { roomKeys } from '../../../app/server/rooms/keys.ts';
import type { RoomLog } from '../../../app/server/rooms/log/log.ts';
import { messageRest } from '../../../app/server/rooms/message.ts';
import { openRedisStore } from '../../../app/server/rooms/store/store.ts';
import { answerParent } from '../answer-parent.ts';
import { serviceLog } from '../servers/service-log.ts';
import { makeBody } from './body.ts';

export interface ShardLoad {
  readonly rooms: number;
  readonly underWay: number;
  readonly forMs: number;
}

export interface ShardLoadFigures {
  readonly appends: number;
  /** CPU of this process in microseconds. */
  readonly cpu: number;
  /** From an append to what is heard of it here, in milliseconds. */
  readonly latencies: readonly number[];
}

const deployment = 'bench';
const hub = 'chat';
const roomName = (index: number) => `room-${index}`;

let backplane: Backplane;
let log: RoomLog;
/** Of all loads: an id is used once. */
let sent = 0;
const sentAt = new Map<string, number>();
const latencies: number[] = [];

/** What an instance does on the shards of a cluster, or on one node: it appends to rooms, and hears what is appended. */
answerParent({
  /** @returns memory (RSS) in bytes */
  open: async (redisUrl: string): Promise<number> => {
    const options = {
      sources: { url: redisUrl },
      deployment,
      instance: `bench-${process.pid}`,
      log: serviceLog,
    };
    backplane = await openBackplane(options);
    if (!backplane.links) throw new Error('no Redis');
    log = openRedisStore({ links: backplane.links, deployment }).open({ hub, acks: 'primary' }).log;
    while (backplane.status !== 'joined') await delay(20);
    return process.memoryUsage().rss;
  },
  listen: async (rooms: number): Promise<void> => {
    const listener = { received: heard, resubscribed: () => undefined };
    const channels = Array.from(
      { length: rooms },
      (_, index) => roomKeys(deployment, hub, roomName(index)).channel,
    );
    await Promise.all(channels.map((channel) => backplane.links?.channels.subscribe(channel, listener)));
  },
  append: async ({ rooms, underWay, forMs }: ShardLoad): Promise<ShardLoadFigures> => {
    latencies.length = 0;
    const before = process.cpuUsage();
    const end = Date.now() + forMs;
    const first = sent;
    const worker = async () => {
      while (Date.now() < end) {
        sent += 1;
        const id = `${process.pid}-${sent}`;
        const subject = `user-${sent % 100}`;
        sentAt.set(id, performance.now());
        const rest = messageRest(id, subject, Date.now(), makeBody());
        await log.append({ room: roomName(sent % rooms), subject, id, rest });
      }
    };
    await Promise.all(Array.from({ length: underWay }, worker));
    const { user, system } = process.cpuUsage(before);
    return { appends: sent - first, cpu: user + system, latencies: [...latencies] };
  },
});

function heard(payload: Buffer): void {
  const id = /"id":"([^"]+)"/.exec(payload.toString('latin1'))?.[1] ?? '';
  const at = sentAt.get(id);
  if (at === undefined) return;
  sentAt.delete(id);
  latencies.push(performance.now() - at);
}
