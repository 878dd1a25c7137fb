import { readEnvironment } from '../../../app/server/environment.ts';

test('an empty environment is a service on port 3000 without Redis', () => {
  expect(readEnvironment({})).toMatchObject({
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
  expect(readEnvironment({}).instanceId).not.toBe(readEnvironment({}).instanceId);
});

test('an empty Redis URL is kept: it means single-instance mode and not "look further"', () => {
  expect(readEnvironment({ REDIS_URL: '' }).redis).toEqual({ url: '' });
});

test('all faults are told at once, with the value and the rule', () => {
  const read = () =>
    readEnvironment({ PORT: '99999', INSTANCE_ID: 'a b', LOG_LEVEL: 'loud', IDLE_TIMEOUT_SECONDS: 'x' });
  expect(read).toThrow('PORT must be a whole number of 1–65535, got: 99999');
  expect(read).toThrow('INSTANCE_ID must be 1–64 of A–Z a–z 0–9 _ . -, got: a b');
  expect(read).toThrow('LOG_LEVEL');
  expect(read).toThrow('IDLE_TIMEOUT_SECONDS must be a whole number of 1–4000, got: x');
});
