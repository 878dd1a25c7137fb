import { setTimeout as delay } from 'node:timers/promises';
import type { PresenceChange } from '../../../../app/protocol/hub.ts';
import { openMemoryPresence } from '../../../../app/server/presence/memory-presence.ts';
import { openRedisPresence } from '../../../../app/server/presence/redis-presence.ts';
import type { HubPresence, PresenceStore } from '../../../../app/server/presence/store.ts';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';
import { type RedisOfKind, redisKinds } from '../../../support/redis/redis-kinds.ts';
import { eventually } from '../../../support/wait.ts';

/** One hub's presence, and what the members of a room `r` were told. */
interface Stage {
  readonly presence: HubPresence;
  readonly changes: PresenceChange[];
}

const graceMs = 400;
let count = 0;
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function inRedis(redis: RedisOfKind): Promise<Stage> {
  count += 1;
  const deployment = `d${count}`;
  const changes: PresenceChange[] = [];
  const { channel } = roomKeys(deployment, 'chat', 'r');
  ends.push(await redis.listen(channel, (text) => changes.push(JSON.parse(text.slice(1)).payload)));
  const store: PresenceStore = openRedisPresence({ links: redis.links, deployment, quietMs: 0 });
  return { presence: store.open({ hub: 'chat', broadcast: () => undefined, graceMs }), changes };
}

async function inMemory(): Promise<Stage> {
  const changes: PresenceChange[] = [];
  const broadcast = (_room: string, _event: string, payload: unknown) =>
    changes.push(payload as PresenceChange);
  return { presence: openMemoryPresence().open({ hub: 'chat', broadcast, graceMs }), changes };
}

const joined = (owner: string, ...subjects: string[]) => ({ owner, joined: subjects, left: [] });
const left = (owner: string, ...subjects: string[]) => ({ owner, joined: [], left: subjects });

describe.each(redisKinds)('presence in %s', (_kind, use) => {
  const redis = use();
  suite(() => inRedis(redis));
});

describe('presence in memory', () => suite(inMemory));

function suite(open: () => Promise<Stage>) {
  async function members(presence: HubPresence): Promise<string[]> {
    return [...((await presence.members('r')).members ?? [])].sort();
  }

  /** Beats, as instances do, until the room was told so often. */
  async function beatUntilTold({ presence, changes }: Stage, times: number): Promise<void> {
    await eventually(`${times} differences`, async () => {
      await presence.publishDue();
      return changes.length >= times;
    });
  }

  test('who is new is told once, with the next version of the epoch', async () => {
    const { presence, changes } = await open();
    await presence.change('r', joined('a', 'ann', 'bob'));
    await presence.change('r', joined('a', 'ann'));
    await presence.change('r', joined('b', 'ann', 'cid'));
    await eventually('both differences', () => changes.length === 2);
    expect(changes.map(({ room, version, joined, left }) => [room, version, joined, left])).toEqual([
      ['r', 1, ['ann', 'bob'], []],
      ['r', 2, ['cid'], []],
    ]);
    expect(new Set(changes.map(({ epoch }) => epoch)).size).toBe(1);
    expect(await members(presence)).toEqual(['ann', 'bob', 'cid']);
  });

  test('a leave is told behind the grace, together with the others that are due', async () => {
    const stage = await open();
    const { presence, changes } = stage;
    await presence.change('r', joined('a', 'ann', 'bob', 'cid', 'dan'));
    const leftAt = Date.now();
    await presence.change('r', left('a', 'ann'));
    expect(await members(presence)).toEqual(['ann', 'bob', 'cid', 'dan']);
    await beatUntilTold(stage, 2);
    expect(Date.now() - leftAt).toBeGreaterThanOrEqual(graceMs);
    expect(changes[1]).toEqual({ ...changes[0], version: 2, joined: [], left: ['ann'] });

    await presence.change('r', left('a', 'bob'));
    await presence.change('r', left('a', 'cid'));
    await delay(graceMs + 50);
    await beatUntilTold(stage, 3);
    expect(changes[2]).toEqual({ ...changes[0], version: 3, joined: [], left: ['bob', 'cid'] });
    expect(await members(presence)).toEqual(['dan']);
  });

  test('who moves to another instance, or comes back, is told neither as left nor as joined', async () => {
    const { presence, changes } = await open();
    await presence.change('r', joined('a', 'moves', 'returns', 'stays'));
    await presence.change('r', joined('b', 'stays'));
    await presence.change('r', left('a', 'moves', 'returns', 'stays'));
    await presence.change('r', joined('b', 'moves'));
    await presence.change('r', joined('a', 'returns'));
    for (let beat = 0; beat < 10; beat += 1) {
      await delay(120);
      await presence.publishDue();
    }
    expect(changes).toHaveLength(1);
    expect(await members(presence)).toEqual(['moves', 'returns', 'stays']);
  });

  test('what a dead owner registered is taken back; who is there through another one stays', async () => {
    const stage = await open();
    const { presence, changes } = stage;
    const many = Array.from({ length: 1_200 }, (_, index) => `user ${index}`);
    for (let start = 0; start < 1_200; start += 400) {
      await presence.change('r', joined('a', ...many.slice(start, start + 400)));
    }
    await presence.change('r', joined('b', 'user 7', 'other'));
    const before = changes.length;
    await Promise.all([presence.release('a', 0, 'all'), presence.release('a', 0, 'all')]);
    await eventually('all to be told', async () => {
      await presence.publishDue();
      return changes.slice(before).reduce((sum, each) => sum + each.left.length, 0) === 1_199;
    });
    expect(await members(presence)).toEqual(['other', 'user 7']);
    expect(await presence.registered('r', 'a')).toEqual([]);
    expect(changes.map(({ version }) => version)).toEqual(changes.map((_, index) => index + 1));
  });

  test('the answer holds no members for who has them', async () => {
    const { presence } = await open();
    await presence.change('r', joined('a', 'ann'));
    const { epoch, version } = await presence.members('r');
    expect(await presence.members('r', { epoch, version })).toEqual({ epoch, version });
    expect((await presence.members('r', { epoch, version: version + 1 })).members).toEqual(['ann']);
    expect((await presence.members('r', { epoch: 'other', version })).members).toEqual(['ann']);
    expect((await presence.members('nobody was here')).epoch).toBe('');
  });

  test('what is registered can be asked for', async () => {
    const { presence } = await open();
    await presence.change('r', joined('a', 'ann', 'bob'));
    await presence.change('r', joined('b', 'cid'));
    await presence.change('r', left('a', 'bob'));
    expect(await presence.registered('r', 'a')).toEqual(['ann']);
    expect(await presence.registered('r', 'b')).toEqual(['cid']);
  });

  test('subjects and rooms with any characters', async () => {
    const { presence, changes } = await open();
    const odd = ['a/b', '"quoted"', 'ü 🙂', '{x}', 'a\\b', '%7B'];
    await presence.change('r', joined('a', ...odd));
    await eventually('the difference', () => changes.length === 1);
    expect(changes[0]?.joined).toEqual(odd);
    expect(await members(presence)).toEqual([...odd].sort());
    await presence.change('r/"{odd}"', joined('a', 'ann'));
    expect((await presence.members('r/"{odd}"')).members).toEqual(['ann']);
  });
}
