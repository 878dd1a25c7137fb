import { type ClientHub, openHub } from '../../../../app/client/hub.ts';
import type { Lost, Message, Position } from '../../../../app/protocol/hub.ts';
import { createRoomCounters } from '../../../../app/server/rooms/counters.ts';
import type { Page, ReadRequest } from '../../../../app/server/rooms/log/log.ts';
import type { Frame, FrameFormat, Member } from '../../../../app/server/rooms/member.ts';
import { messageHead, messagePosition } from '../../../../app/server/rooms/message.ts';
import type { RoomSubscriber } from '../../../../app/server/rooms/pubsub/broker.ts';
import { Room } from '../../../../app/server/rooms/room.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { LocalInstance } from '../../../support/servers/local-instance.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

/** Redis loses all that it has, as by FLUSHALL, or by a restart without a disk, and goes on. */

const keep = stoppedAfterwards();

interface Client {
  readonly hub: ClientHub<unknown>;
  /** Bodies, and losses, as they came. */
  readonly heard: unknown[];
  readonly publish: (body: unknown) => Promise<Position>;
}

async function join({ port }: LocalInstance, room: string): Promise<Client> {
  const hub = openHub(`http://127.0.0.1:${port}`, 'chat', { transports: ['websocket'], forceNew: true });
  await keep({ stop: async () => hub.close() });
  const heard: unknown[] = [];
  const joined = hub.join(room, {
    onMessage: ({ body }: Message) => heard.push(body),
    onLost: (lost: Lost) => heard.push(lost),
  });
  await joined.joined;
  return { hub, heard, publish: (body) => joined.publish(body) };
}

describe('a Redis that was emptied', () => {
  let redis: TestRedis;
  let instances: readonly LocalInstance[];
  beforeAll(async () => {
    redis = await keep(startRedis());
    const start = async (id: string) => {
      const instance = await LocalInstance.start({ id, redis: `127.0.0.1:${redis.port}`, fanout: 'direct' });
      await keep({ stop: () => instance.kill() });
      return instance;
    };
    instances = await Promise.all(['one', 'other'].map(start));
  });
  const empty = () => onRedis(redis.port, (connection) => connection.flushall());

  test('the first message afterwards reaches everyone, behind the word of what is lost', async () => {
    const [here, there] = await Promise.all(instances.map((instance) => join(instance, 'used')));
    if (!here || !there) throw new Error('no clients');
    await here.publish('before');
    await eventually('it to be heard', () => there.heard.includes('before') && here.heard.includes('before'));
    await empty();
    await here.publish('after');
    await eventually('it to be heard', () => there.heard.includes('after') && here.heard.includes('after'));
    expect(there.heard).toEqual(['before', {}, 'after']);
    // The sender is told of its own, which it was acknowledged.
    expect(here.heard).toEqual(['before', expect.objectContaining({ acked: true }), 'after']);
    await here.publish('more');
    await eventually('the next one', () => there.heard.includes('more'));
  });

  test('in a room without messages nothing is lost, and nobody notified', async () => {
    const [here, there] = await Promise.all(instances.map((instance) => join(instance, 'unused')));
    if (!here || !there) throw new Error('no clients');
    await empty();
    await here.publish('first');
    await eventually('it to be heard', () => there.heard.includes('first') && here.heard.includes('first'));
    await here.publish('second');
    await eventually('the next one', () => there.heard.includes('second'));
    for (const { heard } of [here, there]) expect(heard).not.toContainEqual({ acked: true });
  });
});

interface TextFrame extends Frame {
  readonly text: string;
}

const frameOf = (text: Buffer): TextFrame => ({ text: text.toString(), flush: () => undefined });

/** What a room hears from its channel and from its log, in an order that a network can make. */
test('the first message of a room is not taken for its first before the log was asked', async () => {
  const first = { epoch: 'mwzplq6h.B', offset: 1 };
  const text = `${messageHead('r')}${messagePosition(first)}"id":"a","from":"ann","at":1,"body":0}`;
  const heard: string[] = [];
  const empty = { head: { epoch: '~mwzplq6g', offset: 0 }, complete: true, lost: 0 };
  // Five messages stood before it, while nobody here was subscribed; then all was lost.
  const emptied = { head: first, complete: false, lost: undefined, messages: [text], end: 1 };
  const page = { ackedKept: true, messages: [], end: 0, more: false };
  let subscribed: RoomSubscriber | undefined;
  const room = new Room<Member>('r', {
    log: {
      idWindowMs: 1,
      append: () => Promise.reject(new Error('not asked for')),
      appendIf: () => Promise.reject(new Error('not asked for')),
      read: async ({ since }: ReadRequest): Promise<Page> =>
        since?.epoch === empty.head.epoch
          ? { ...page, ...emptied }
          : { ...page, ...empty, ...(since && { head: since, end: since.offset }) },
    },
    broker: {
      subscribe: async (_, subscriber) => {
        subscribed = subscriber;
      },
      follow: async () => undefined,
      unsubscribe: () => undefined,
      broadcast: () => undefined,
    },
    counters: createRoomCounters(),
    onBroadcast: () => undefined,
  });
  await room.open();
  const format: FrameFormat = { message: frameOf, event: () => frameOf(Buffer.of()) };
  const member = {
    connected: true,
    format,
    deliver: (frame: TextFrame) => heard.push(frame.text),
    send: (event: string) => heard.push(event),
  };
  await room.join(member as unknown as Member, {});
  subscribed?.received(first, Buffer.from(text));
  subscribed?.resubscribed();
  await eventually('the message', () => heard.some((each) => each.includes('"offset":1')));
  expect(heard[0]).toBe('gap');
  expect(heard).toHaveLength(2);
});
