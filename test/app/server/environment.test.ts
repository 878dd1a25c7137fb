import { readEnvironment } from '../../../app/server/environment.ts';

test('an empty environment is a service on port 3000 without Redis', () => {
  expect(readEnvironment({ AUTH: 'none' })).toMatchObject({
    port: 3000,
    host: '0.0.0.0',
    redis: {},
    deployment: 'realtime',
    idleTimeoutSeconds: 60,
    corsOrigins: [],
    logLevel: 'info',
  });
});

test('two instances on one machine get ids of their own', () => {
  expect(readEnvironment({ AUTH: 'none' }).instanceId).not.toBe(readEnvironment({ AUTH: 'none' }).instanceId);
});

test('an empty Redis URL is kept: it means single-instance mode and not "look further"', () => {
  expect(readEnvironment({ AUTH: 'none', REDIS_URL: '' }).redis).toEqual({ url: '' });
});

test('all faults are told at once, with the value and the rule', () => {
  const read = () =>
    readEnvironment({ PORT: '99999', INSTANCE_ID: 'a b', LOG_LEVEL: 'loud', IDLE_TIMEOUT_SECONDS: 'x' });
  expect(read).toThrow('PORT must be a whole number of 1–65535, got: 99999');
  expect(read).toThrow('INSTANCE_ID must be 1–64 of A–Z a–z 0–9 _ . -, got: a b');
  expect(read).toThrow('LOG_LEVEL');
  expect(read).toThrow('IDLE_TIMEOUT_SECONDS must be a whole number of 1–4000, got: x');
});

test('who may connect must be said: an open service is never an oversight', () => {
  expect(() => readEnvironment({})).toThrow(
    'AUTH_SECRET or AUTH_JWKS_URL must say who may connect; AUTH=none',
  );
  expect(() => readEnvironment({ AUTH: 'none', AUTH_SECRET: 's'.repeat(32) })).toThrow(
    'AUTH=none contradicts',
  );
  expect(() => readEnvironment({ AUTH_JWKS_URL: 'https://id.example/jwks', GUESTS: 'true' })).toThrow(
    "GUESTS=true needs AUTH_SECRET: guests' tokens are signed with it",
  );
});

test('a secret that can not be used is told by its length', () => {
  const read = () => readEnvironment({ AUTH_SECRET: 'too short to be one', SERVICE_TOKEN: 'hunter2' });
  expect(read).toThrow('AUTH_SECRET must have 32 characters or more, got: 19 characters');
  expect(read).toThrow('SERVICE_TOKEN must have 32 characters or more, got: 7 characters');
  expect(read).not.toThrow(/too short to be one|hunter2/);
});
