import { notesOn } from '../../../lib/local/screen.ts';

const facts = {
  options: { port: 9000, instances: 2, liveKitNodes: 2 },
  environment: { PATH: '/nowhere' },
  redis: '/bin/redis-server',
  liveKit: '/bin/livekit-server',
  port: 9000,
};

test('a start with all that was asked for has nothing to note', () => {
  expect(notesOn(facts)).toEqual([]);
});

test('without LiveKit one line says how to have it, unless nobody asked', () => {
  const without = { ...facts, liveKit: undefined };
  expect(notesOn(without)).toEqual([
    expect.stringMatching(/^No LiveKit server was found: no calls\. To have them: /),
  ]);
  expect(notesOn({ ...without, options: { ...facts.options, liveKitNodes: 0 } })).toEqual([]);
});

test('a LiveKit elsewhere is said', () => {
  const elsewhere = { ...facts, liveKit: undefined, environment: { LIVEKIT_URL: 'wss://calls.example.com' } };
  expect(notesOn(elsewhere)).toEqual(['LIVEKIT_URL is set: calls go there, and no LiveKit node runs here.']);
});

test('a port that was not asked for, and no Redis', () => {
  const [port, redis] = notesOn({
    ...facts,
    redis: undefined,
    options: { instances: 2, liveKitNodes: 2 },
    port: 8081,
  });
  expect(port).toBe('Port 8080 is taken, so this topology has 8081.');
  expect(redis).toBe('No Redis server was found: one instance runs, without a backplane, not 2.');
});
