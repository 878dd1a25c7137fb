import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import {
  UserSessions,
  type UserSessionsOptions,
} from '../../../../../app/server/hubs/calls/user-sessions.ts';
import { linksOver, useRedis } from '../../../../support/redis/link.ts';
import { onRedis } from '../../../../support/redis/redis-client.ts';

const own = useRedis();

let isAvailable = true;
afterEach(() => {
  isAvailable = true;
});

const open = (hub: string, more: Partial<UserSessionsOptions> = {}) =>
  new UserSessions({
    hub,
    deployment: 'd',
    schemas: { cart: z.array(z.string()), text: z.string() },
    links: linksOver(own.link, () => isAvailable),
    ...more,
  });

test.each([
  ['through Redis', {}],
  ['in memory', { links: undefined }],
])('%s, what is kept for a user is of that user alone, and can be deleted', async (_where, more) => {
  const sessions = open('games', more);
  await sessions.of('a/b').set('cart', ['a pen']);
  await sessions.of('a/b').set('cart', ['a pen', 'a cup']);
  expect(await sessions.of('a/b').get('cart')).toEqual(['a pen', 'a cup']);
  expect(await sessions.of('a/b').get('text')).toBeUndefined();
  expect(await sessions.of('b').get('cart')).toBeUndefined();
  await sessions.of('a/b').delete('cart');
  expect(await sessions.of('a/b').get('cart')).toBeUndefined();
});

test.each([
  ['through Redis', {}],
  ['in memory', { links: undefined }],
])('%s, what is not used for a time goes', async (_where, more) => {
  const session = open('short', { idleMs: 100, ...more }).of('ada');
  await session.set('text', 'here');
  // To read it earlier would keep it.
  await delay(200);
  expect(await session.get('text')).toBeUndefined();
});

test('what is read is kept on', async () => {
  const session = open('long', { idleMs: 60_000 }).of('ada');
  await session.set('text', 'here');
  await onRedis(own.server.port, async (redis) => {
    const [key = ''] = await redis.keys('d:session:*long*');
    await redis.pexpire(key, 30_000);
    await session.get('text');
    expect(await redis.pttl(key)).toBeGreaterThan(30_000);
  });
});

test('two hubs keep apart what has one name, and instances of one hub share it', async () => {
  await open('chat').of('ada').set('text', 'of the chat');
  expect(await open('chat').of('ada').get('text')).toBe('of the chat');
  expect(await open('games').of('ada').get('text')).toBeUndefined();
});

test('what another version of the hub kept, and does not fit, is nothing', async () => {
  await open('old', { schemas: { cart: z.number() } })
    .of('ada')
    .set('cart', 1);
  expect(await open('old').of('ada').get('cart')).toBeUndefined();
});

test('what is not defined, does not fit or is too large is not kept', async () => {
  const session = open('strict').of('ada');
  await expect(session.set('toString', 1)).rejects.toThrow('the hub strict defines no toString of a session');
  await expect(session.get('basket')).rejects.toThrow('defines no basket');
  await expect(session.set('cart', 'a pen')).rejects.toThrow('expected array');
  await expect(session.set('text', 'x'.repeat(8_191))).rejects.toThrow(
    'text of a session may have 8192 bytes as JSON, got: 8193',
  );
  expect(await session.get('text')).toBeUndefined();
});

test('while Redis is away its user may try again', async () => {
  const session = open('away').of('ada');
  await session.set('text', 'before');
  isAvailable = false;
  for (const work of [session.get('text'), session.set('text', 'x'), session.delete('text')]) {
    await expect(work).rejects.toMatchObject({
      code: 'unavailable',
      message: 'sessions can not be read or kept now: try again',
    });
  }
  isAvailable = true;
  expect(await session.get('text')).toBe('before');
});
