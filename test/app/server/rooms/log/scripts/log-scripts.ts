import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Redis } from 'ioredis';
import { scriptText } from '../../../../../../app/server/redis/script.ts';
import { roomKeys } from '../../../../../../app/server/rooms/keys.ts';
import { messageHead } from '../../../../../../app/server/rooms/message.ts';
import { useRedis } from '../../../../../support/redis/link.ts';

/** The scripts as Redis runs them: arguments in, reply out, and what stands in the keys afterwards. */

const folder = join(import.meta.dirname, '../../../../../../app/server/rooms/log/scripts');
const textOf = (name: string) =>
  scriptText(pathToFileURL(join(folder, 'epochs.lua')), pathToFileURL(join(folder, name)));
const appendScript = textOf('append.lua');
const readScript = textOf('read.lua');
const announceScript = textOf('announce-loss.lua');

const own = useRedis();
export let redis: Redis;
beforeAll(() => {
  redis = own.redis;
});

const listeners: Redis[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.disconnect();
});

/** What is published of a room, as it comes. */
export async function listen(room: string, on = redis): Promise<() => string[]> {
  const heard: string[] = [];
  const listener = on.duplicate({ lazyConnect: true });
  listeners.push(listener);
  await listener.connect();
  listener.on('smessage', (_channel, text) => heard.push(text));
  await listener.ssubscribe(keysOf(room).channel);
  return () => heard;
}

let count = 0;
/** A room that no other test has. */
export function newRoom(): string {
  count += 1;
  return `room ${count}`;
}

export const keysOf = (room: string) => roomKeys('test', 'chat', room);

interface Append {
  /** What an epoch is called behind the time of its making, if one must be made. */
  epoch?: string;
  id?: string;
  mayBeNew?: boolean;
  rest?: string;
  maxAgeMs?: number;
  metaAgeMs?: number;
  idWindowMs?: number;
  on?: Redis;
}

type Appended = [epoch: string, offset: number, outcome: number];

/** Epochs as the tests call them -> as they are, with their time. */
const epochs = new Map<string, string>();
export const epochOf = (room: string, name: string) => epochs.get(`${room} ${name}`) ?? name;
export const withoutTimes = (text: string | null) => text?.replace(/\b[0-9a-z]{8}\.(?=\w)/g, '');

/** Offers a new epoch at each append, as the service does. */
export async function append(room: string, options: Append = {}): Promise<Appended> {
  const keys = keysOf(room);
  const named = options.id === undefined ? [] : [keys.id('ann', options.id)];
  count += 1;
  const args = [
    keys.channel,
    options.epoch ?? `offered${count}`,
    messageHead(room),
    options.rest ?? '"body":0}',
    1_000,
    1_000_000,
    options.maxAgeMs ?? 600_000,
    options.metaAgeMs ?? 700_000,
    options.idWindowMs ?? 120_000,
    options.mayBeNew === false ? 0 : 1,
    0,
  ];
  const on = options.on ?? redis;
  const all = [keys.meta, keys.log, ...named];
  const [epoch, ...rest] = (await on.eval(appendScript, all.length, ...all, ...args)) as Appended;
  const name = withoutTimes(epoch) as string;
  epochs.set(`${room} ${name}`, epoch);
  return [name, ...rest];
}

export type Point = [epoch: string, offset: number];

interface Read {
  since?: Point;
  acked?: Point;
  /** `10:E1 25:` */
  visible?: string;
  on?: Redis;
}

export async function read(room: string, { since, acked, visible = '', on = redis }: Read = {}) {
  const { meta, log, dataSince } = keysOf(room);
  const pointOf = (place: Point | undefined) => (place ? [epochOf(room, place[0]), place[1]] : ['', 0]);
  const cuts = visible.replace(/(\d+):(\w+)/g, (_, offset, name) => `${offset}:${epochOf(room, name)}`);
  const args = [700_000, ...pointOf(since), ...pointOf(acked), cuts, 200, 256_000];
  const answer = await on.eval(readScript, 3, meta, log, dataSince, ...args);
  const [epoch, head, whole, lost, ackedKept, end, more, ...messages] = answer as [string, ...unknown[]];
  const now = withoutTimes(epoch) as string;
  epochs.set(`${room} ${now}`, epoch);
  return { epoch: now, head, whole, lost, ackedKept, end, more, offsets: messages.map(offsetOf) };
}

const offsetOf = (text: unknown): number => JSON.parse(text as string).offset;

/** The server's replication id becomes another one, as after a failover. */
export async function changeReplicationId(): Promise<void> {
  const before = await replicationId();
  await redis.call('REPLICAOF', '127.0.0.1', '1');
  await redis.call('REPLICAOF', 'NO', 'ONE');
  expect(await replicationId()).not.toBe(before);
}

async function replicationId(): Promise<string | undefined> {
  return /^master_replid:(\w+)/m.exec(await redis.info('replication'))?.[1];
}

export async function epochsOf(room: string): Promise<string | undefined> {
  return withoutTimes(await redis.hget(keysOf(room).meta, 'epochs'));
}

export async function entriesOf(
  room: string,
): Promise<{ offset: number; message: Record<string, unknown> }[]> {
  const entries = await redis.xrange(keysOf(room).log, '-', '+');
  return entries.map(([id, fields]) => ({
    offset: Number(id.split('-')[0]),
    message: JSON.parse(withoutTimes(fields[1] as string) as string),
  }));
}

/** Announces a loss, behind which the epoch has this name. */
export async function announce(room: string, tag: string, count: number) {
  const { meta, log, channel } = keysOf(room);
  const reply = await redis.eval(
    announceScript,
    2,
    meta,
    log,
    channel,
    tag,
    count,
    700_000,
    '!{"kind":"loss"}',
  );
  const [epoch, head] = reply as [string, number];
  epochs.set(`${room} ${tag}`, epoch);
  return [withoutTimes(epoch), head];
}
