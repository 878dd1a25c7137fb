import { pageMessages, type RoomLog } from '../../../../../app/server/rooms/log/log.ts';
import { MemoryLog } from '../../../../../app/server/rooms/log/memory-log.ts';
import { RedisLog } from '../../../../../app/server/rooms/log/redis-log.ts';
import { defaultRetention, type Retention } from '../../../../../app/server/rooms/log/retention.ts';
import { messageRest } from '../../../../../app/server/rooms/message.ts';
import { useRedis } from '../../../../support/redis/link.ts';

const own = useRedis();

type OpenLog = (retention?: Partial<Retention>) => RoomLog;

const overRedis: OpenLog = (retention) =>
  new RedisLog({
    links: own.links,
    deployment: 'test',
    hub: 'chat',
    retention: { ...defaultRetention, ...retention },
  });
const fromMemory: OpenLog = (retention) =>
  new MemoryLog({ retention: { ...defaultRetention, ...retention }, onAppend: () => undefined });

let rooms = 0;
function newRoom(): string {
  rooms += 1;
  return `room ${rooms}`;
}

function append(log: RoomLog, room: string, body: unknown, id?: string, subject = 'ann') {
  const rest = messageRest(id ?? 'none', subject, 0, JSON.stringify(body));
  return log.append({ room, subject, rest, ...(id === undefined ? {} : { id }) });
}

async function fill(log: RoomLog, room: string, count: number): Promise<string> {
  let epoch = '';
  for (let n = 1; n <= count; n += 1) ({ epoch } = await append(log, room, n));
  return epoch;
}

const bodies = (messages: readonly string[]) => messages.map((text) => JSON.parse(text).body);

describe.each([
  ['over Redis', overRedis],
  ['from memory', fromMemory],
])('a room log %s', (_where, open) => {
  test('numbers from 1 without holes, in one epoch, each room on its own', async () => {
    const log = open();
    const [one, two] = [newRoom(), newRoom()];
    const first = await append(log, one, 'a');
    expect(first).toMatchObject({ offset: 1, repeated: false });
    expect(await append(log, one, 'b')).toEqual({ ...first, offset: 2 });
    const other = await append(log, two, 'c');
    expect(other.offset).toBe(1);
    expect(other.epoch).not.toBe(first.epoch);
  });

  test('a repeated id is answered with the first position; another sender may use the same id', async () => {
    const log = open();
    const room = newRoom();
    const first = await append(log, room, 'a', 'id-1');
    await append(log, room, 'b', 'id-2');
    expect(await append(log, room, 'a', 'id-1')).toEqual({ ...first, repeated: true });
    expect(await append(log, room, 'c', 'id-1', 'bob')).toMatchObject({ offset: 3, repeated: false });
    const page = await log.read({ room, since: { epoch: first.epoch, offset: 0 } });
    expect(bodies(page.messages)).toEqual(['a', 'b', 'c']);
  });

  test('what came after a position is read, and nothing else', async () => {
    const log = open();
    const room = newRoom();
    const epoch = await fill(log, room, 5);
    const page = await log.read({ room, since: { epoch, offset: 3 } });
    expect(page).toMatchObject({ head: { epoch, offset: 5 }, complete: true, lost: 0, end: 5, more: false });
    expect(page.messages.map((text) => JSON.parse(text))).toEqual([
      { room, epoch, offset: 4, id: 'none', from: 'ann', at: 0, body: 4 },
      { room, epoch, offset: 5, id: 'none', from: 'ann', at: 0, body: 5 },
    ]);
  });

  test('at the head there is nothing to read, and nothing is missing', async () => {
    const log = open();
    const room = newRoom();
    const epoch = await fill(log, room, 2);
    const page = await log.read({ room, since: { epoch, offset: 2 } });
    expect(page).toMatchObject({ complete: true, lost: 0, messages: [], end: 2, more: false });
  });

  test('without a position the head is told and nothing is read', async () => {
    const log = open();
    const room = newRoom();
    const epoch = await fill(log, room, 2);
    expect(await log.read({ room })).toMatchObject({
      head: { epoch, offset: 2 },
      complete: true,
      messages: [],
    });
  });

  test('a position in a room without messages is good: its first message follows it', async () => {
    const log = open();
    const room = newRoom();
    const { head } = await log.read({ room });
    expect(head.offset).toBe(0);
    expect(await append(log, room, 'a')).toMatchObject({ offset: 1 });
    expect(await log.read({ room, since: head })).toMatchObject({
      complete: true,
      lost: 0,
      messages: [expect.stringContaining('"offset":1,')],
    });
  });

  test('an unknown epoch: not complete, and nothing that may have been seen is given again', async () => {
    const log = open();
    const room = newRoom();
    const epoch = await fill(log, room, 3);
    const page = await log.read({ room, since: { epoch: 'another', offset: 1 } });
    expect(page).toMatchObject({
      complete: false,
      lost: undefined,
      messages: [],
      head: { epoch, offset: 3 },
      end: 3,
    });
  });

  test('a position ahead of the log: not complete, and it tells how many are gone', async () => {
    const log = open();
    const room = newRoom();
    const epoch = await fill(log, room, 3);
    const page = await log.read({ room, since: { epoch, offset: 5 } });
    expect(page).toMatchObject({ complete: false, lost: 2, messages: [], end: 3 });
  });

  test('trimmed by length: what is left is given, and the hole is counted', async () => {
    const log = open({ maxLength: 100 });
    const room = newRoom();
    const epoch = await fill(log, room, 350);
    const page = await log.read({ room, since: { epoch, offset: 10 } });
    const first = JSON.parse(page.messages[0] as string).offset;
    expect(page).toMatchObject({ complete: false, lost: first - 11 });
    expect(first).toBeGreaterThan(150);
    expect(first).toBeLessThanOrEqual(251);
    expect(await log.read({ room, since: { epoch, offset: 300 } })).toMatchObject({
      complete: true,
      lost: 0,
    });
  });

  test('trimmed by bytes', async () => {
    const log = open({ maxBytes: 20_000 });
    const room = newRoom();
    const { epoch } = await append(log, room, 'first');
    for (let n = 0; n < 64; n += 1) await append(log, room, 'x'.repeat(1_000));
    const page = await log.read({ room, since: { epoch, offset: 0 } });
    expect(page.complete).toBe(false);
    // Looked at every 16 appends, so up to 15 more may be there.
    expect(page.messages.join('').length).toBeLessThanOrEqual(20_000 + 15 * 1_100);
    expect(page.messages.length).toBeGreaterThan(10);
  });

  test('one message larger than the bound is kept alone', async () => {
    const log = open({ maxBytes: 1_000 });
    const room = newRoom();
    const { epoch } = await append(log, room, 'small');
    await append(log, room, 'x'.repeat(5_000));
    const page = await log.read({ room, since: { epoch, offset: 0 } });
    expect(page).toMatchObject({ complete: false, lost: 1 });
    expect(page.messages).toHaveLength(1);
  });

  test('pages by count, and by bytes, that join without a seam', async () => {
    const log = open();
    const room = newRoom();
    const { epoch } = await append(log, room, 0);
    for (let n = 1; n <= pageMessages; n += 1) await append(log, room, n);
    for (let n = 0; n < 3; n += 1) await append(log, room, 'x'.repeat(100_000));
    const offsets: number[] = [];
    let since = { epoch, offset: 0 };
    let pages = 0;
    for (let more = true; more; pages += 1) {
      const page = await log.read({ room, since });
      expect(page.complete).toBe(true);
      offsets.push(...page.messages.map((text) => JSON.parse(text).offset));
      since = { epoch, offset: page.end };
      more = page.more;
    }
    expect(offsets).toEqual(Array.from({ length: pageMessages + 4 }, (_, index) => index + 1));
    expect(pages).toBe(3);
  });

  test('the earliest visible offset cuts the replay, and that is no loss', async () => {
    const log = open();
    const room = newRoom();
    const epoch = await fill(log, room, 5);
    const page = await log.read({ room, since: { epoch, offset: 0 }, visibleFrom: [{ offset: 4 }] });
    expect(bodies(page.messages)).toEqual([4, 5]);
    expect(page).toMatchObject({ complete: true, lost: 0 });
    const none = await log.read({ room, since: { epoch, offset: 0 }, visibleFrom: [{ offset: 99 }] });
    // Beyond the head it hides what is said from now on, which a member hears live.
    expect(none).toMatchObject({ complete: false, lost: 5, messages: [], end: 5, more: false });
  });

  test('an acknowledged publish that the history holds, and one that it does not', async () => {
    const log = open();
    const room = newRoom();
    const epoch = await fill(log, room, 3);
    const kept = async (acked: { epoch: string; offset: number }) =>
      (await log.read({ room, acked })).ackedKept;
    expect(await kept({ epoch, offset: 3 })).toBe(true);
    expect(await kept({ epoch, offset: 4 })).toBe(false);
    expect(await kept({ epoch: 'another', offset: 1 })).toBe(false);
  });

  test.each(['{a}', '}', '%7B', 'ümläut 🎈', '"quoted"', '/', 'a:b'])(
    'a room may be called %s',
    async (name) => {
      const log = open();
      const room = `${name}${newRoom()}`;
      const { epoch } = await append(log, room, { text: '"], [\u2028' });
      const { messages } = await log.read({ room, since: { epoch, offset: 0 } });
      expect(JSON.parse(messages[0] as string)).toMatchObject({ room, body: { text: '"], [\u2028' } });
    },
  );
});
