import { z } from 'zod';
import { defineHub, method, pathOf, stream } from '../../../../app/server/hubs/define.ts';

test.each(['', 'Chat', '1st', 'chat/room', 'a'.repeat(33), '__proto__'])(
  'a hub can not be named %j',
  (name) => {
    expect(() => defineHub({ name })).toThrow(
      `a hub's name must be 1–32 of a–z 0–9 -, a letter first, got: ${name}`,
    );
  },
);

test('what every hub has can not be defined again', () => {
  const own = method(z.object({}), () => ({}));
  expect(() => defineHub({ name: 'games', methods: { join: own, move: own, publish: own } })).toThrow(
    'hub games: every hub has join, publish already',
  );
});

test('a name is a method or a stream, and every hub can be followed', () => {
  const own = method(z.object({}), () => ({}));
  const streamed = stream(z.object({}), async function* () {});
  expect(() => defineHub({ name: 'games', methods: { move: own }, streams: { move: streamed } })).toThrow(
    'hub games: move is a method and a stream: rename one',
  );
  expect(() => defineHub({ name: 'games', streams: { follow: streamed } })).toThrow(
    'hub games: every hub has follow already',
  );
});

test.each(['chathub', '/Chat', '/a//b', '/api/chat', '/socket.io', '/health', '/x/negotiate', '/a?b', '/'])(
  'a hub can not be served at %j',
  (path) => {
    expect(() => defineHub({ name: 'games', path })).toThrow(/^hub games: its path must be .*, got: /);
  },
);

test.each([
  [0, 1],
  [5, 0],
  [Number.NaN, 1],
  [1, Number.POSITIVE_INFINITY],
])('a rate limit of %d and %d is refused', (burst, perSecond) => {
  const rateLimits = { fine: { burst: 1, perSecond: 0.1 }, moves: { burst, perSecond } };
  expect(() => defineHub({ name: 'games', rateLimits })).toThrow(
    `hub games: a rate limit needs a burst of 1 or more, and more than 0 per second, got: moves with ${burst} and ${perSecond}`,
  );
});

test('a hub is served at a path of its own, or of its name', () => {
  expect(pathOf(defineHub({ name: 'games' }))).toBe('/gameshub');
  expect(pathOf(defineHub({ name: 'games', path: '/hubs/v1/games' }))).toBe('/hubs/v1/games');
});
