import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerKeys } from '../../../../app/server/answers/keys.ts';
import { denyListKeys } from '../../../../app/server/deny-list/keys.ts';
import { leaseKeys } from '../../../../app/server/leases/redis-leases.ts';
import { presenceKeys, sharedPresenceKeys } from '../../../../app/server/presence/keys.ts';
import { hashTag, redisName } from '../../../../app/server/redis/keys.ts';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';

test('names are those that instances of other versions use', () => {
  const room = roomKeys('d', 'chat', 'a/b {c}%');
  const answers = answerKeys('d', 'llm');
  const presence = presenceKeys('d', 'chat', 'r');
  const names = [
    room.channel,
    room.meta,
    room.log,
    room.dataSince,
    room.id('ann', 'x:y'),
    presence.counts,
    presence.of('app-1~f'),
    sharedPresenceKeys('d').due,
    sharedPresenceKeys('d').of('app-1~f'),
    leaseKeys('d').owners,
    answers.turn('t'),
    answers.runningIn('r'),
    answers.runningOf('ann'),
    answers.ownedBy('app-1~f'),
    answers.turnsOf('r'),
    ...Object.values(denyListKeys('d')),
  ];
  expect(names).toEqual([
    'd:{25e}:room:chat/a/b {c}%',
    'd:{25e}:room:chat/a/b {c}%:meta',
    'd:{25e}:room:chat/a/b {c}%:log',
    'd:{25e}:since',
    'd:{25e}:room:chat/a/b {c}%:id:3:ann:x:y',
    'd:{3eq}:room:chat/r:presence:counts',
    'd:{3eq}:room:chat/r:presence:of:app-1~f',
    'd:presence:{all}:due',
    'd:presence:{all}:of:app-1~f',
    'd:leases:{all}:owners',
    'd:answers:turn:t',
    'd:answers:{llm/r}:running',
    'd:answers:subject:llm:ann',
    'd:answers:owner:llm:app-1~f',
    'd:answers:{llm/r}:turns',
    'd:{home}:deny-list:states',
    'd:{home}:deny-list:ends',
    'd:{home}:deny-list:version',
    'd:{home}:deny-list:changes',
  ]);
});

test('different hubs and rooms have different tags, each with one pair of braces', () => {
  const pairs = [
    ['a', 'b/c'],
    ['a/b', 'c'],
    ['a', 'b}{c'],
    ['a', 'b%7D%7Bc'],
    ['a%2Fb', 'c'],
    ['', 'a/b/c'],
  ];
  const tags = pairs.map((names) => hashTag(...names));
  expect(new Set(tags).size).toBe(pairs.length);
  for (const tag of tags) expect(tag).toMatch(/^\{[^{}]+\}$/);
});

test('no other file puts a name together', () => {
  const folder = 'app/server';
  const builders = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'redis/keys.ts')
    .filter((file) => /deployment\}:|\[%\{\}/.test(readFileSync(join(folder, file), 'utf8')));
  expect(builders).toEqual([]);
  expect(redisName('d', 'room', hashTag('chat', 'r'))).toBe('d:room:{chat/r}');
});
