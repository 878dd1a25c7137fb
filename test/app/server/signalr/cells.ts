import { setTimeout as delay } from 'node:timers/promises';
import type { HubConnection } from '@microsoft/signalr';
import type { AnswerBody } from '../../../../app/protocol/answers.ts';
import type { Message, Position } from '../../../../app/protocol/hub.ts';
import { openCookielessProxy } from '../../../support/network/cookieless-proxy.ts';
import { eventually } from '../../../support/wait.ts';
import {
  type Fleet,
  heardBy,
  instancesOf,
  isFull,
  messageOf,
  reconnected,
  sendRaw,
  streamOf,
  tokenOf,
  type Way,
} from './fleet.ts';

/** What is tried by every way: each takes a client, gets into trouble with it, and leaves the fleet whole. */
export type Cell = (fleet: Fleet, way: Way, room: string) => Promise<void>;

const words = (text: string) => expect.stringContaining(`HubException: ${text}`);

export const rooms: Cell = async (fleet, way, room) => {
  const client = await fleet.connect(way);
  const other = await fleet.connect({ user: 'bob' });
  const socket = fleet.socketOf('eve');
  const bodies: unknown[][] = [heardBy(client), heardBy(other), []];
  socket.on('message', ({ body }) => bodies[2]?.push(body));
  expect(await client.invoke('Join', room)).toMatchObject({ ok: true, recovered: true, messages: [] });
  expect(await other.invoke('join', { room })).toMatchObject({ ok: true });
  expect(await socket.emitWithAck('join', { room })).toMatchObject({ ok: true });

  expect(await client.invoke('Publish', room, { n: 1 })).toMatchObject({ ok: true, offset: 1 });
  expect(await other.invoke('PUBLISH', { room, body: 'two', id: 'x' })).toMatchObject({ offset: 2 });
  expect(await socket.emitWithAck('publish', { room, body: [3] })).toMatchObject({ offset: 3 });
  expect((await fleet.publish(room, null)).status).toBe(201);
  const all = [{ n: 1 }, 'two', [3], null];
  await eventually('everyone to have heard everything', () => bodies.every(({ length }) => length === 4));
  expect(bodies).toEqual([all, all, all]);

  // Lines in a body are no lines of an event stream.
  const response = await fleet.publishText(room, '{"body":\n\n{"lines":\r\n["\\n"]}}');
  const { offset: fifth } = (await response.json()) as Position;
  await eventually('it to have heard that, too', () => bodies[0]?.length === 5);
  expect([fifth, bodies[0]?.[4]]).toEqual([5, { lines: ['\n'] }]);

  // A repeat is one message, and `since` brings what was missed.
  const first = await client.invoke('Publish', room, 'again', 'id');
  expect(await client.invoke('Publish', room, 'again', 'id')).toEqual(first);
  const late = await fleet.connect({ user: 'dan', ...way });
  const { messages } = await late.invoke('Join', room, { epoch: first.epoch, offset: 1 });
  expect(messages.map(({ body }: Message) => body)).toEqual(['two', [3], null, { lines: ['\n'] }, 'again']);

  await eventually('all four to be there', async () => {
    const { members } = await late.invoke('Presence', room);
    return ['ada', 'bob', 'dan', 'eve'].every((subject) => members.includes(subject));
  });
  expect(await client.invoke('Leave', room)).toEqual({ ok: true });
  expect(await messageOf(client.invoke('Presence', room))).toEqual(words('forbidden: join the room'));
};

/** What is refused says so in an error with the code in front. */
export const refusals: Cell = async (fleet, way) => {
  const client = await fleet.connect(way);
  expect(await messageOf(client.invoke('Join'))).toEqual(words('bad_request: room:'));
  expect(await messageOf(client.invoke('Join', 'r', null, null, 4))).toEqual(
    words('bad_request: takes one object or (room, since?, acked?), got: 4 arguments'),
  );
  expect(await messageOf(client.invoke('Publish', 'r', 'x'.repeat(70_000)))).toEqual(
    words('bad_request: body: must have at most 65536 bytes'),
  );
  expect(await messageOf(client.invoke('Typing', 'elsewhere'))).toEqual(words('forbidden: join the room'));
  const feed = await fleet.connect({ ...way, hub: 'bothub' });
  expect(await messageOf(feed.invoke('Publish', 'r', 1))).toEqual(words('forbidden:'));
  expect(await messageOf(feed.invoke('Ask', 'r', 'x'))).toBe("Unknown hub method 'Ask'");
  const token = tokenOf('guest', { rooms: ['chat/lobby'] });
  const roomless = await fleet.connect({ ...way, accessTokenFactory: () => token });
  expect(await messageOf(roomless.invoke('Join', 'other'))).toEqual(words('forbidden:'));
  expect(await streamOf(roomless, 'Follow', 'other').ended).toEqual(words('forbidden:'));
  expect(await streamOf(client, 'Follow').ended).toEqual(words('bad_request: room:'));
  expect(await roomless.invoke('Join', 'lobby')).toMatchObject({ ok: true });
};

/** A room is followed from a position on, live, and until it is not wanted. */
export const follow: Cell = async (fleet, way, room) => {
  const [speaker, reader] = [await fleet.connect({ user: 'bob' }), await fleet.connect(way)];
  const { epoch } = await speaker.invoke('Publish', room, 1);
  for (const body of [2, 3]) await speaker.invoke('Publish', room, body);
  const stream = streamOf<Message>(reader, 'Follow', room, { epoch, offset: 1 });
  await eventually('what was missed', () => stream.items.length === 2);
  const live = streamOf<Message>(reader, 'follow', { room });
  await eventually('it to be a member', async () => {
    await speaker.invoke('Publish', room, 'live');
    return live.items.length > 0;
  });
  expect(live.items[0]).toMatchObject({ room, from: 'bob', body: 'live' });
  const last = await speaker.invoke('Publish', room, 'last');
  await eventually('the last', () => stream.items.at(-1)?.body === 'last');
  expect(stream.items.map(({ offset }) => offset)).toEqual(upTo(last.offset - 1).map((index) => index + 2));
  stream.cancel();
  // What comes behind the cancel comes behind its end, too.
  expect(await reader.invoke('Publish', room, 'unheard')).toMatchObject({ ok: true });
  await eventually('the other one to hear it', () => live.items.at(-1)?.body === 'unheard');
  expect(stream.items.at(-1)?.body).toBe('last');
};

/** An answer comes piece by piece, and is found again by its id. */
export const answer: Cell = async (fleet, way, room) => {
  const asker = await fleet.connect({ ...way, hub: 'llmhub', user: way.name });
  const reader = await fleet.connect({ hub: 'llmhub', user: 'bob' });
  const heard = heardBy(reader) as Partial<AnswerBody & { final: string; text: string }>[];
  await reader.invoke('Join', room);
  const pieces = streamOf<string>(asker, 'Answer', room, 'count to 20', 'first');
  await eventually('its first piece', () => pieces.items.length > 0);
  const again = streamOf<string>(asker, 'Answer', room, 'count to 20', 'first');
  expect([await pieces.ended, await again.ended]).toEqual(['complete', 'complete']);
  await eventually('its end in the room', () => heard.some(({ final }) => final === 'done'));
  const whole = heard.find(({ final }) => final === 'done')?.text;
  expect(whole).toBe(
    upTo(20)
      .map((index) => index + 1)
      .join(' '),
  );
  expect(pieces.items.length).toBeGreaterThan(1);
  expect(pieces.items.join('')).toBe(whole);
  expect(again.items.join('')).toBe(whole);
  const late = streamOf<string>(asker, 'Answer', { room, prompt: 'count to 20', id: 'first' });
  expect(await late.ended).toBe('complete');
  expect(late.items).toEqual([whole]);
};

/** A stream that is cancelled cancels the answer, and `Cancel` one that was asked for. */
export const cancel: Cell = async (fleet, way, room) => {
  const asker = await fleet.connect({ ...way, hub: 'llmhub', user: way.name });
  const heard = heardBy(asker) as Partial<AnswerBody & { final: string; turn: string }>[];
  await asker.invoke('Join', room);
  const unwanted = streamOf<string>(asker, 'Answer', room, 'count to 5,000');
  await eventually('its beginning', () => unwanted.items.length > 0);
  unwanted.cancel();
  const cancelled = () => heard.filter(({ final }) => final === 'cancelled');
  await eventually('the turn to be cancelled', () => cancelled().length === 1);
  const { turn } = await asker.invoke('Ask', { room, prompt: 'count to 5,000' });
  await asker.invoke('Cancel', turn);
  await eventually('its end', () => cancelled().length === 2);
  expect(cancelled()[1]?.turn).toBe(turn);
};

export const thousandMessages: Cell = async (fleet, way, room) => {
  const client = await fleet.connect(way);
  const offsets: number[] = [];
  client.on('message', ({ offset }: Message) => offsets.push(offset));
  await client.invoke('Join', room);
  // A user may publish 300 at once.
  const speakers = upTo(4).map((number) => fleet.socketOf(`${number} ${way.name}`));
  const replies = speakers.flatMap((speaker) =>
    upTo(250).map((body) => speaker.emitWithAck('publish', { room, body })),
  );
  expect((await Promise.all(replies)).filter(({ ok }) => !ok)).toEqual([]);
  await eventually('all of them', () => offsets.length >= 1_000);
  expect(offsets).toEqual(upTo(1_000).map((index) => index + 1));
};

export const killed: Cell = async (fleet, way, room) => {
  const client = fleet.build(way);
  const welcomed = instancesOf(client);
  const heard = heardBy(client);
  await client.start();
  const since = positionOf(await client.invoke('Join', room));
  await eventually('its welcome', () => welcomed.length === 1);
  const back = reconnected(client);
  const gone = welcomed[0] as string;
  await fleet.replaceKilled(gone);
  expect((await fleet.publish(room, 'meanwhile')).status).toBe(201);
  await back;
  const { messages } = await client.invoke('Join', room, since);
  const missed = messages.map(({ body }: Message) => body);
  expect([...missed, ...heard]).toEqual(['meanwhile']);
  expect((await fleet.publish(room, 'live')).status).toBe(201);
  await eventually('the next message', () => heard.at(-1) === 'live');
  await eventually('another welcome', () => welcomed.length > 1);
  expect(welcomed.at(-1)).not.toBe(gone);
};

/**
 * An instance leaves: its clients come back elsewhere by themselves, and whatever was called before the goodbye is
 * answered, in whichever way.
 */
export const drained: Cell = async (fleet, way, room) => {
  const users = upTo(isFull ? 8 : 3).map((number) => `user ${number}`);
  const clients = await Promise.all(users.map((user) => drainedClient(fleet, way, user, room)));
  const counts = clients.map(({ welcomed }) => welcomed.at(-1));
  const leaving = mostFrequent(counts);
  const reader = await joined(fleet, room);
  const since = positionOf(await reader.invoke('Join', room));
  let isOver = false;
  const callers = clients.map((each) => each.publishUntil(() => isOver));
  try {
    expect(await fleet.replaceLeaving(leaving)).toBe(0);
    await eventually('all of them to be with others', () =>
      clients.every(({ welcomed }) => welcomed.at(-1) !== leaving),
    );
  } finally {
    isOver = true;
  }
  const published = (await Promise.all(callers)).flat();
  const { items } = streamOf<Message>(await fleet.connect({ user: 'witness' }), 'Follow', room, since);
  await eventually('everything to be read', () => items.length >= published.length);
  expect(items.map(({ body }) => String(body)).sort()).toEqual(published.sort());
  expect(clients.flatMap(({ closed }) => closed)).toEqual([]);
};

async function drainedClient(fleet: Fleet, way: Way, user: string, room: string) {
  const client = fleet.build({ ...way, user });
  const welcomed = instancesOf(client);
  const closed: unknown[] = [];
  client.onclose((error) => closed.push(error));
  await client.start();
  await client.invoke('Join', room);
  await eventually('its welcome', () => welcomed.length > 0);
  return {
    welcomed,
    closed,
    publishUntil: (isOver: () => boolean) => publishUntil(client, user, room, isOver),
  };
}

/** What a call may end with while its instance leaves, or is gone: nothing was done, or nobody heard of it. */
const leavingErrors =
  /HubException: unavailable: the instance is leaving|connection being closed|not in the 'Connected' State|No Connection with that ID|fetch failed/;

/** One message after the other, each until it is acknowledged. @returns their bodies */
async function publishUntil(client: HubConnection, user: string, room: string, isOver: () => boolean) {
  const bodies: string[] = [];
  for (let number = 0; !isOver(); number += 1) {
    const body = `${user}: ${number}`;
    bodies.push(body);
    await eventually(`${body} to be acknowledged`, async () => {
      const message = await messageOf(client.invoke('Publish', room, body, body));
      if (message !== 'no error' && !leavingErrors.test(message)) throw new Error(message);
      return message === 'no error';
    });
    await delay(100);
  }
  return bodies;
}

/** A client whose token ends comes back with another one: instances look every ten seconds. */
export async function startToEnd(fleet: Fleet, way: Way): Promise<() => Promise<void>> {
  const { client, started } = await connectBriefly(fleet, way, 2);
  const before = client.connectionId;
  const back = reconnected(client);
  started();
  return async () => {
    expect(await back).not.toBe(before);
    expect(await client.invoke('Join', 'r')).toMatchObject({ ok: true });
  };
}

/** A busy machine may take longer to connect than a token lasts: then with one that lasts longer. */
async function connectBriefly(
  fleet: Fleet,
  way: Way,
  seconds: number,
): Promise<{ client: HubConnection; started: () => void }> {
  let lasts = seconds;
  const accessTokenFactory = () => tokenOf('ada', { exp: Date.now() / 1_000 + lasts });
  const client = fleet.build({ ...way, accessTokenFactory });
  try {
    await client.start();
  } catch (error) {
    if (seconds > 60) throw error;
    return connectBriefly(fleet, way, seconds * 2);
  }
  return {
    client,
    started: () => {
      lasts = 600;
    },
  };
}

/** A client that does not read is ended; the others notice nothing, and it is told what it can't have any more. */
export const slowConsumer: Cell = async (fleet, way, room) => {
  const slowly = await openCookielessProxy(fleet.proxy.targets);
  fleet.later(() => slowly.close());
  const client = fleet.build({ ...way, url: slowly.url });
  const heard: number[] = [];
  client.on('message', ({ offset }: Message) => heard.push(offset));
  await client.start();
  await client.invoke('Join', room);
  const { epoch } = (await (await fleet.publish(room, 'first')).json()) as Position;
  await eventually('the first message', () => heard.length === 1);
  const others = heardBy(await joined(fleet, room));
  const endedBefore = await fleet.sumOf('realtime_slow_consumers_total\\{hub="chat"\\}');
  const back = reconnected(client);
  slowly.hold();
  let sent = 0;
  await eventually('it to be ended', async () => {
    for (const body of upTo(20).map(() => 'x'.repeat(60_000))) {
      expect((await fleet.publish(room, body)).status).toBe(201);
      sent += 1;
    }
    return (await fleet.sumOf('realtime_slow_consumers_total\\{hub="chat"\\}')) > endedBefore;
  });
  await eventually('the others to have heard all', () => others.length === sent);
  slowly.release();
  await back;
  const before = heard.length;
  const reply = await client.invoke('Join', room, { epoch, offset: heard.at(-1) });
  expect(heard.slice(0, before)).toEqual(upTo(before).map((index) => index + 1));
  // A position that the log goes back to no more says so.
  expect(reply.recovered || reply.lost !== undefined).toBe(true);
  await fleet.publish(room, 'last');
};

/** Redis is away: connections stay, new ones are let in, publishes fail by name, and go on when it is back. */
export const redisAway: Cell = async (fleet, way, room) => {
  const client = await fleet.connect(way);
  const degraded: boolean[] = [];
  client.on('degraded', (payload) => void degraded.push(payload.degraded));
  const heard = heardBy(client);
  await client.invoke('Join', room);
  const other = await joined(fleet, room);
  const ended: unknown[] = [];
  client.onreconnecting((error) => ended.push(error));
  // Each instance asks Redis once where another one is: these have done so for all.
  for (let count = 0; count < 6; count += 1) await (await fleet.connect(way)).invoke('Join', room);
  fleet.wayToRedis.refuse(true);
  let late: HubConnection;
  try {
    await eventually('it to be told', () => degraded.at(-1) === true);
    expect(await messageOf(client.invoke('Publish', room, 'lost', 'lost'))).toMatch(
      /HubException: (unavailable|refused|uncertain): /,
    );
    late = await fleet.connect(way);
    expect(await messageOf(late.invoke('Typing', room))).toEqual(words('forbidden: join the room'));
  } finally {
    fleet.wayToRedis.refuse(false);
  }
  await eventually('it to be told that it is back', () => degraded.at(-1) === false);
  for (const [index, each] of [client, other, late].entries()) {
    await eventually('a publish', async () => {
      const message = await messageOf(each.invoke('Publish', room, index, `${index}`));
      return message === 'no error';
    });
  }
  expect(await late.invoke('Join', room)).toMatchObject({ ok: true });
  await eventually('all of them to be heard', () => [0, 1, 2].every((index) => heard.includes(index)));
  expect(heard.filter((body) => body !== 'lost')).toEqual([0, 1, 2]);
  expect(ended).toEqual([]);
  await fleet.untilJoined();
};

/** What is no message ends the connection, which says so, and no other one. */
export const badInput: Cell = async (fleet, way, room) => {
  const bystander = await fleet.connect({ ...way, user: 'bob' });
  await bystander.invoke('Join', room);
  const before = bystander.connectionId;
  const all = way.encoding === 'json' ? badJson : badMessagePack;
  for (const raw of isFull ? all : all.slice(0, 1)) {
    const client = await fleet.connect(way);
    const closed = new Promise<string>((resolve) => {
      client.onclose((error) => resolve(String(error?.message)));
    });
    await sendRaw(client, raw);
    expect(await closed).toBe('Server returned an error on close: Connection closed with an error.');
  }
  expect(await bystander.invoke('Publish', room, 1)).toMatchObject({ ok: true });
  expect(bystander.connectionId).toBe(before);
};

const badJson = [
  '{"type":1,"target":5,"arguments":[]}\x1e',
  '{"type":1,"target":"Join"}\x1e',
  '{"type":4,"target":"Follow","arguments":["r"]}\x1e',
  '[]\x1e',
  '\x1e',
  '{"type":"1"}\x1e',
];
const badMessagePack = [
  [2, 0xa1, 0x61],
  [0],
  [3, 0x93, 1, 0x80],
  [0xff, 0xff, 0xff, 0xff, 0x7f],
  [5, 0xdd, 0xff, 0xff, 0xff, 0xff],
].map((bytes) => new Uint8Array(bytes).buffer);

async function joined(fleet: Fleet, room: string): Promise<HubConnection> {
  const client = await fleet.connect({ user: 'witness' });
  await client.invoke('Join', room);
  return client;
}

const positionOf = ({ epoch, offset }: Position) => ({ epoch, offset });

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

function mostFrequent(all: readonly (string | undefined)[]): string {
  const counts = new Map<string, number>();
  for (const each of all) if (each !== undefined) counts.set(each, (counts.get(each) ?? 0) + 1);
  const [[most] = ['']] = [...counts].sort(([, a], [, b]) => b - a);
  return most;
}
