import { signingKeyOf } from '../../../../app/server/relay/keys.ts';
import { SigningKeys } from '../../../../app/server/relay/signing-keys.ts';

const week = 604_800_000;

/** As much of Redis as keys need, and how often it was asked. */
class FakeRedis {
  readonly values = new Map<string, string>();
  asked = 0;
  isAway = false;

  async get(key: string) {
    this.#ask();
    return this.values.get(key) ?? null;
  }

  async set(key: string, value: string) {
    this.#ask();
    if (!this.values.has(key)) this.values.set(key, value);
    return 'OK' as const;
  }

  #ask() {
    this.asked += 1;
    if (this.isAway) throw new Error('away');
  }
}

let redis: FakeRedis;
const keys = (of: FakeRedis | undefined = redis) =>
  new SigningKeys({ deployment: 'test', redis: () => of as never });
const nameNow = () => signingKeyOf('test', Math.floor(Date.now() / week));

beforeEach(() => {
  redis = new FakeRedis();
  jest.useFakeTimers({ now: 100 * week + 1_000 });
});
afterEach(() => jest.useRealTimers());

test('what one instance signs, another one verifies, and nothing else', async () => {
  const [one, two] = [keys(), keys()];
  const signature = await one.sign('text');
  expect(await two.verify('text', signature)).toBe(true);
  for (const [text, forged] of [
    ['another text', signature],
    ['text', `${signature}x`],
    ['text', ''],
    ['text', '.'],
    ['text', signature.replace(/^\w+/, 'zz')],
    ['text', signature.replace('.', '..')],
  ] as const) {
    expect(await two.verify(text, forged)).toBe(false);
  }
  expect(await keys(new FakeRedis()).verify('text', signature)).toBe(false);
});

test('each week has its key, and the one before is still known', async () => {
  const [one, two] = [keys(), keys()];
  const before = await one.sign('text');
  jest.setSystemTime(101 * week + 1_000);
  const now = await one.sign('text');
  expect(now.split('.')[1]).not.toBe(before.split('.')[1]);
  for (const signature of [before, now]) expect(await two.verify('text', signature)).toBe(true);
  jest.setSystemTime(102 * week + 1_000);
  expect(await two.verify('text', before)).toBe(false);
});

test('a key that Redis lost is written back by who has it', async () => {
  const one = keys();
  const signature = await one.sign('text');
  redis.values.clear();
  jest.advanceTimersByTime(31_000);
  await one.sign('anything');
  await Promise.resolve();
  expect(redis.values.has(nameNow())).toBe(true);
  expect(await keys().verify('text', signature)).toBe(true);
});

test('without Redis an instance knows its own, and takes the key of the others when it is back', async () => {
  const alone = keys();
  redis.isAway = true;
  const early = await alone.sign('text');
  expect(await alone.verify('text', early)).toBe(true);
  redis.isAway = false;
  const signature = await keys().sign('text');
  jest.advanceTimersByTime(2_000);
  expect(await alone.verify('text', signature)).toBe(true);
  expect(await keys().verify('text', await alone.sign('text'))).toBe(true);
});

test('who forges signatures makes it ask Redis once a second', async () => {
  const one = keys();
  const [period] = (await one.sign('text')).split('.');
  jest.advanceTimersByTime(2_000);
  const before = redis.asked;
  for (let count = 0; count < 100; count += 1) await one.verify('text', `${period}.${count}`);
  expect(redis.asked - before).toBeLessThanOrEqual(2);
});
