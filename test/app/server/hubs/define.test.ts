import { z } from 'zod';
import { defineHub, method } from '../../../../app/server/hubs/define.ts';

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
