import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEnvironment } from '../../../app/server/environment.ts';
import { defaultRetention } from '../../../app/server/rooms/log/retention.ts';
import { serviceVariables } from '../../../app/server/service-variables.ts';
import type { Variable } from '../../../app/server/variables.ts';
import { renderVariables, variablesSection } from '../../../lib/config/generate/variables-table.ts';

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

test('what contradicts is told with what can not be read, unless it hangs on that', () => {
  const read = () =>
    readEnvironment({ PORT: 'x', MODEL_PROVIDER: 'bedrock', AUTH_SECRET: 'short', GUESTS: 'true' });
  expect(read).toThrow('PORT must be a whole number of 1–65535, got: x');
  expect(read).toThrow('MODEL_PROVIDER=bedrock needs MODEL_ID');
  expect(read).toThrow('AUTH_SECRET must have 32 characters or more, got: 5 characters');
  expect(read).not.toThrow('GUESTS=true needs');
});

test.each([
  ['AUTH_SECRT', 'AUTH_SECRET'],
  ['AUTHSECRET', 'AUTH_SECRET'],
  ['AUTH_SECERT', 'AUTH_SECRET'],
  ['ROOM_LOG_MESSAGE', 'ROOM_LOG_MESSAGES'],
  ['REDIS_URI', 'REDIS_URL'],
])('%s is set, and %s may be meant', (given, meant) => {
  const remark = `${given} is set, and nobody reads it: did you mean ${meant}?`;
  expect(readEnvironment({ AUTH: 'none', [given]: 'x' }).misspelt).toEqual([remark]);
  expect(() => readEnvironment({ [given]: 'x' })).toThrow(remark);
});

test('what others set, and what is set beside the variable that is meant, is nobody’s slip', () => {
  const others = { PATH: '/bin', HOME: '/', HOSTNAME: 'a', REDIS_PORT: 'tcp://10.0.0.1:6379', NODE_ENV: 'x' };
  expect(readEnvironment({ AUTH: 'none', ...others }).misspelt).toEqual([]);
  expect(readEnvironment({ AUTH: 'none', AUTHS: '1' }).misspelt).toEqual([]);
});

test('the README has the table of variables: `node --import tsx lib/config/generate/write-readme.ts` writes it', () => {
  expect(variablesSection.exec(readFileSync('README.md', 'utf8'))?.[0]).toBe(renderVariables());
});

test('no other file of the service reads the environment', () => {
  const folder = 'app/server';
  const readers = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => readFileSync(join(folder, file), 'utf8').includes('process.env'));
  expect(readers).toEqual(['main.ts']);
});

test('origins are read as people write them; what is none is told with what to write', () => {
  const read = (list: string) => readEnvironment({ AUTH: 'none', CORS_ORIGINS: list });
  expect(read('https://a.example.com, HTTPS://B.example.com:443/').corsOrigins).toEqual([
    'https://a.example.com',
    'https://b.example.com',
  ]);
  const faulty = () => read('a.example.com,https://b.example.com/app');
  expect(faulty).toThrow(
    'CORS_ORIGINS must list origins: "a.example.com" has no scheme: write https://a.example.com',
  );
  expect(faulty).toThrow('"https://b.example.com/app" has more than scheme, host and port');
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

test('claims are named as tokens have them: by a word, a path or a URI', () => {
  const read = (claim: string) =>
    readEnvironment({ AUTH_SECRET: 's'.repeat(32), AUTH_SUBJECT_CLAIM: claim, AUTH_NAME_CLAIM: 'user.name' });
  const uri = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier';
  expect(read(uri).auth).toMatchObject({ subjectClaim: uri, nameClaim: 'user.name' });
  expect(() => read('')).toThrow('AUTH_SUBJECT_CLAIM must be the name of a claim');
});

test('a secret that can not be used is told by its length', () => {
  const read = () => readEnvironment({ AUTH_SECRET: 'too short to be one', SERVICE_TOKEN: 'hunter2' });
  expect(read).toThrow('AUTH_SECRET must have 32 characters or more, got: 19 characters');
  expect(read).toThrow('SERVICE_TOKEN must have 32 characters or more, got: 7 characters');
  expect(read).not.toThrow(/too short to be one|hunter2/);
});

test('what is named like a secret is marked as one, and a URL with a password is not shown', () => {
  const shown = Object.values<Variable>(serviceVariables)
    .filter(({ name }) => /SECRET|TOKEN|PASSWORD|KEY/.test(name))
    .filter(({ isSecret }) => !isSecret);
  expect(shown).toEqual([]);
  const read = () => readEnvironment({ AUTH_JWKS_URL: 'ftp://me:hunter2@id.example' });
  expect(read).toThrow('AUTH_JWKS_URL must be a URL of http:// or https://, got: 27 characters');
  expect(read).not.toThrow('hunter2');
});

test('the retention of rooms can be set, and has the defaults of the log', () => {
  const { idWindowMs: _, ...defaults } = defaultRetention;
  expect(readEnvironment({ AUTH: 'none' }).roomLog).toEqual(defaults);
  const set = {
    ROOM_LOG_MESSAGES: '50',
    ROOM_LOG_BYTES: '20000',
    ROOM_LOG_SECONDS: '60',
    ROOM_META_SECONDS: '7200',
  };
  expect(readEnvironment({ AUTH: 'none', ...set }).roomLog).toEqual({
    maxLength: 50,
    maxBytes: 20_000,
    maxAgeMs: 60_000,
    metaAgeMs: 7_200_000,
  });
});

test('a room whose epochs would expire before its messages is refused', () => {
  const read = (ROOM_META_SECONDS: string) => () =>
    readEnvironment({ AUTH: 'none', ROOM_LOG_SECONDS: '3600', ROOM_META_SECONDS });
  expect(read('3600')).toThrow('ROOM_META_SECONDS must be above ROOM_LOG_SECONDS (3600), got: 3600');
  expect(read('3601')).not.toThrow();
});
