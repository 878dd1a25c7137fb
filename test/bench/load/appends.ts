import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { openBackplane } from '../../../app/server/redis/backplane.ts';
import { roomKeys } from '../../../app/server/rooms/keys.ts';
import { messageRest } from '../../../app/server/rooms/message.ts';
import { openRedisStore } from '../../../app/server/rooms/store/store.ts';
import { answerParent } from '../answer-parent.ts';
import { serviceLog } from '../servers/service-log.ts';
import { makeBody } from './body.ts';

export interface AppendRequest {
  readonly redisUrl: string;
  readonly rooms: number;
  readonly underWay: number;
  readonly forMs: number;
}

const deployment = 'bench';
const hub = 'chat';
const roomName = (index: number) => `room-${index}`;

/** A process that keeps Redis busy: with appends to logs, or with bare PUBLISH; or that listens. */
let heard = 0;

answerParent({
  append: async ({ redisUrl, rooms, ...load }: AppendRequest): Promise<number> => {
    const backplane = await openBackplane({
      sources: { url: redisUrl },
      deployment,
      instance: 'bench',
      log: serviceLog,
    });
    if (!backplane.links) throw new Error('no Redis');
    const { links } = backplane;
    const { log } = openRedisStore({ links, deployment }).open({
      hub,
      acks: 'primary',
    });
    while (backplane.status !== 'joined') await delay(20);
    const done = await keepUnderWay(load, async (turn) => {
      const id = `${process.pid}-${turn}`;
      const subject = `user-${turn % 100}`;
      const rest = messageRest(id, subject, Date.now(), makeBody());
      await log.append({ room: roomName(turn % rooms), subject, id, rest });
    });
    await backplane.close();
    return done;
  },
  publish: async ({ redisUrl, rooms, ...load }: AppendRequest): Promise<number> => {
    const redis = new Redis(redisUrl, { enableAutoPipelining: true });
    await once(redis, 'ready');
    const done = await keepUnderWay(load, async (turn) => {
      await redis.spublish(channelOf(turn % rooms), makeBody());
    });
    redis.disconnect();
    return done;
  },
  listen: async ({ redisUrl, rooms }: Pick<AppendRequest, 'redisUrl' | 'rooms'>): Promise<void> => {
    const redis = new Redis(redisUrl);
    redis.on('smessageBuffer', () => {
      heard += 1;
    });
    await redis.ssubscribe(...Array.from({ length: rooms }, (_, index) => channelOf(index)));
  },
  heard: () => heard,
});

function channelOf(index: number): string {
  return roomKeys(deployment, hub, roomName(index)).channel;
}

async function keepUnderWay(
  { underWay, forMs }: Pick<AppendRequest, 'underWay' | 'forMs'>,
  act: (turn: number) => Promise<void>,
): Promise<number> {
  const end = Date.now() + forMs;
  let turns = 0;
  const worker = async () => {
    while (Date.now() < end) {
      turns += 1;
      await act(turns);
    }
  };
  await Promise.all(Array.from({ length: underWay }, worker));
  return turns;
}
