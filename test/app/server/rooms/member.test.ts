import { createRoomCounters } from '../../../../app/server/rooms/counters.ts';
import { openRooms, type ServedRooms } from '../../../../app/server/rooms/hub-rooms.ts';
import type { Frame, FrameFormat, Member } from '../../../../app/server/rooms/member.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { eventually } from '../../../support/wait.ts';

/** Rooms with members of no transport at all: what a transport has to bring, and what it is given. */

class TextFrame implements Frame {
  readonly text: string;
  flushed = 0;

  constructor(text: string) {
    this.text = text;
  }

  flush(): void {
    this.flushed += 1;
  }
}

/** Counts what is built. */
class TextFormat implements FrameFormat {
  readonly built: TextFrame[] = [];
  readonly #mark: string;

  constructor(mark: string) {
    this.#mark = mark;
  }

  message(text: Buffer): TextFrame {
    return this.#build(text.toString());
  }

  event(name: string, payload: unknown): TextFrame {
    return this.#build(JSON.stringify([name, payload]));
  }

  #build(text: string): TextFrame {
    const frame = new TextFrame(`${this.#mark}${text}`);
    this.built.push(frame);
    return frame;
  }
}

class TestMember implements Member {
  readonly connected = true;
  readonly waitingBytes = 0;
  readonly id: string;
  readonly subject: string;
  readonly format: TextFormat;
  readonly delivered: string[] = [];
  readonly offered: string[] = [];
  readonly sent: [event: string, payload: unknown][] = [];

  constructor(id: string, format: TextFormat) {
    this.id = id;
    this.subject = `user ${id}`;
    this.format = format;
  }

  deliver(frame: TextFrame): void {
    expect(frame.flushed).toBe(0);
    this.delivered.push(frame.text);
  }

  offer(frame: TextFrame): void {
    this.offered.push(frame.text);
  }

  send(event: string, payload: unknown): void {
    this.sent.push([event, payload]);
  }

  terminate(): void {}
}

const [plain, marked] = [() => new TextFormat(''), () => new TextFormat('~')];
let rooms: ServedRooms<TestMember>;
beforeEach(() => {
  rooms = openRooms<TestMember>({ hub: 'test', store: openMemoryStore(), counters: createRoomCounters() });
});
afterEach(() => rooms.close());

const ask = async (member: TestMember, method: string, request: object) => {
  const reply = await rooms.handlers.get(method)?.reply(member, request);
  return reply && 'text' in reply ? JSON.parse(reply.text) : reply;
};

test('a message is built once for each format among the members, however they are mixed, and flushed once', async () => {
  const [one, two] = [plain(), marked()];
  const members = [one, two, one, two, one].map((format, n) => new TestMember(String(n), format));
  for (const member of members) expect(await ask(member, 'join', { room: 'r' })).toMatchObject({ ok: true });
  const author = members[0] as TestMember;
  expect(await ask(author, 'publish', { room: 'r', body: 'é' })).toMatchObject({ ok: true, offset: 1 });
  for (const { delivered, format } of members) {
    expect(delivered).toEqual(format.built.map(({ text }) => text));
    expect(JSON.parse((delivered[0] as string).replace('~', ''))).toMatchObject({
      room: 'r',
      offset: 1,
      from: author.subject,
      body: 'é',
    });
  }
  expect([one, two].map(({ built }) => built.map(({ flushed }) => flushed))).toEqual([[1], [1]]);
});

test('an ephemeral event is offered, and what is meant for one member alone is sent to it', async () => {
  const format = plain();
  const [ann, bob] = [new TestMember('ann', format), new TestMember('bob', format)];
  for (const member of [ann, bob]) await ask(member, 'join', { room: 'r' });
  rooms.broadcast('r', 'typing', { from: 'ann' });
  expect([ann, bob].map(({ offered }) => offered)).toEqual(Array(2).fill(['["typing",{"from":"ann"}]']));
  rooms.expelHere('r', new Set([bob.subject]));
  expect(bob.sent).toEqual([['expelled', { room: 'r' }]]);
  expect([rooms.isMember(ann, 'r'), rooms.isMember(bob, 'r')]).toEqual([true, false]);
  expect(format.built).toHaveLength(1);
});

test('a member whose connection has ended is in no room, and nothing is built where nobody is', async () => {
  const format = plain();
  const ann = new TestMember('ann', format);
  await ask(ann, 'join', { room: 'r' });
  rooms.forget(ann);
  await rooms.publish('r', 1);
  await eventually('the room to have moved on', () =>
    [...rooms.view()].some(({ cursor, members }) => cursor?.offset === 1 && members.size === 0),
  );
  expect([format.built, ann.delivered]).toEqual([[], []]);
});
