import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerKeys } from '../../../../app/server/answers/keys.ts';
import { denyListKeys } from '../../../../app/server/deny-list/keys.ts';
import { fenceKey } from '../../../../app/server/leases/fence.ts';
import { leaseKeys } from '../../../../app/server/leases/redis-leases.ts';
import { bucketPresenceKeys, lookKey, presenceKeys } from '../../../../app/server/presence/keys.ts';
import { hashTag, redisName } from '../../../../app/server/redis/keys.ts';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';

test('names are those that instances of other versions use', () => {
  const room = roomKeys('d', 'chat', 'a/b {c}%');
  const answers = answerKeys('d', 'llm');
  const presence = presenceKeys('d', 'chat', 'r');
  const bucket = bucketPresenceKeys('d', '8');
  const turn = `8.${'x'.repeat(22)}`;
  const names = [
    room.channel,
    room.meta,
    room.log,
    room.dataSince,
    room.id('ann', 'x:y'),
    presence.counts,
    presence.of('app-1~f'),
    bucket.due,
    bucket.since,
    bucket.compared,
    bucket.placesOf('app-1~f'),
    lookKey('d'),
    leaseKeys('d').owners,
    fenceKey('d', '8'),
    answers.turn(turn),
    answers.text(turn),
    answers.runningIn('r'),
    answers.reservedBy('ann'),
    answers.ownedBy('app-1~f', '8'),
    answers.turnsOf('r'),
    ...Object.values(denyListKeys('d')),
  ];
  expect(names).toEqual([
    'd:{25e}:room:chat/a/b {c}%',
    'd:{25e}:meta:chat/a/b {c}%',
    'd:{25e}:log:chat/a/b {c}%',
    'd:{25e}:since',
    'd:{25e}:id:3:ann:3:x:y:chat/a/b {c}%',
    'd:{3eq}:presence:counts:chat/r',
    'd:{3eq}:presence:of:app-1~f:chat/r',
    'd:{8}:presence:due',
    'd:{8}:presence:since',
    'd:{8}:presence:compared',
    'd:{8}:presence:places:app-1~f',
    'd:{home}:presence:look',
    'd:{home}:leases:owners',
    'd:{8}:leases:fence',
    'd:{8}:answers:turn:8.xxxxxxxxxxxxxxxxxxxxxx',
    'd:{8}:answers:text:8.xxxxxxxxxxxxxxxxxxxxxx',
    'd:{60}:answers:running:llm/r',
    'd:{19y}:answers:reserved:llm/ann',
    'd:{8}:answers:owner:llm/app-1~f',
    'd:{60}:answers:turns:llm/r',
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
