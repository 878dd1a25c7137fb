import { type Backplane, openBackplane } from '../../../../app/server/redis/backplane.ts';
import { LocalRegister } from '../../../../app/server/sessions/local-register.ts';
import { RedisRegister } from '../../../../app/server/sessions/redis-register.ts';
import { type Register, RegisterError } from '../../../../app/server/sessions/register.ts';
import { silent } from '../../../support/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis.ts';
import { connectRedis } from '../../../support/redis-client.ts';
import { eventually } from '../../../support/wait.ts';

let server: TestRedis;
const open: (() => unknown)[] = [];
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  for (const close of open.splice(0).reverse()) await close();
  await server.stop();
});

let count = 0;
/** An instance of its own: backplane and register. */
async function instance(deployment: string): Promise<{ register: Register; backplane: Backplane }> {
  count += 1;
  const sources = { url: server.url };
  const backplane = await openBackplane({ sources, deployment, instance: `i${count}`, log: silent });
  open.push(() => backplane.close());
  await eventually('the backplane', () => backplane.status === 'joined');
  const register = new RedisRegister({
    links: backplane.links as NonNullable<Backplane['links']>,
    deployment,
    log: silent,
  });
  open.push(() => register.close());
  return { register, backplane };
}

test('what one instance bars, all know, also one that starts later; and so with what is lifted', async () => {
  const [{ register: one }, { register: two }] = [await instance('spread'), await instance('spread')];
  const told: string[] = [];
  two.onAdded((entry) => told.push(entry));
  await one.add('subject:eve', 60_000);
  expect(one.has('subject:eve')).toBe(true);
  await eventually('the other to know', () => two.has('subject:eve'));
  expect(told).toEqual(['subject:eve']);
  const { register: late } = await instance('spread');
  await eventually('the late one to know', () => late.has('subject:eve'));
  await two.remove('subject:eve');
  expect(two.has('subject:eve')).toBe(false);
  await eventually('all to know', () => !one.has('subject:eve') && !late.has('subject:eve'));
});

test('it ends by itself, the longer time holds, and nothing stays in Redis for good', async () => {
  const { register } = await instance('aged');
  await register.add('subject:a', 150);
  await register.add('subject:b', 60_000);
  await register.add('subject:b', 10);
  await eventually('the first to end', () => !register.has('subject:a'));
  expect(register.has('subject:b')).toBe(true);
  const redis = await connectRedis(server.port);
  const age = await redis.pttl('aged:barred');
  redis.disconnect();
  expect(age).toBeGreaterThan(10_000);
  expect(age).toBeLessThan(70_000);
});

test('what was barred while an instance was cut off is known when it is back', async () => {
  const [{ register: one }, { register: two, backplane }] = [await instance('cut'), await instance('cut')];
  const { links } = backplane;
  await one.add('subject:kept', 60_000);
  await eventually('both', () => two.has('subject:kept'));
  links?.subscriptions.renew('cut by the test');
  await one.add('subject:missed', 60_000);
  await eventually('the missed one', () => two.has('subject:missed'));
  expect(two.has('subject:kept')).toBe(true);
});

test('while Redis is away what is known stands, and nothing is said to be barred', async () => {
  const { register, backplane } = await instance('away');
  await register.add('subject:eve', 60_000);
  await backplane.close();
  await eventually('the link to be down', () => backplane.links?.commands.connection === undefined);
  expect(register.has('subject:eve')).toBe(true);
  await expect(register.add('subject:mallory', 60_000)).rejects.toThrow(RegisterError);
});

test('an instance that is alone keeps the same', async () => {
  const register = new LocalRegister();
  await register.add('subject:eve', 60_000);
  await register.add('subject:brief', 1);
  expect(register.has('subject:eve')).toBe(true);
  await eventually('the brief one to end', () => !register.has('subject:brief'));
  await register.remove('subject:eve');
  expect(register.has('subject:eve')).toBe(false);
});
