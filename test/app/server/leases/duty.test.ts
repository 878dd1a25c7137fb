import { HeldDuty } from '../../../../app/server/leases/duty.ts';
import { type Backplane, openBackplane } from '../../../../app/server/redis/backplane.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { eventually } from '../../../support/wait.ts';

let redis: TestRedis;
const backplanes: Backplane[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await Promise.all(backplanes.map((backplane) => backplane.close()));
  await redis.stop();
});

async function open(instance: string, lastsMs: number): Promise<{ duty: HeldDuty; backplane: Backplane }> {
  const backplane = await openBackplane({
    sources: { url: redis.url },
    deployment: `lasts-${lastsMs}`,
    instance,
    log: silent,
  });
  backplanes.push(backplane);
  await eventually('the backplane', () => backplane.status === 'joined');
  const { links } = backplane;
  const duty = new HeldDuty({
    links,
    deployment: `lasts-${lastsMs}`,
    instance,
    name: 'test',
    lastsMs,
    servesAlone: false,
  });
  return { duty, backplane };
}

test('one is on duty; when it gives that back the other one is at once, and never both', async () => {
  // So long that nothing but the notice can tell the other one.
  const [one, two] = [await open('one', 600_000), await open('two', 600_000)];
  await eventually('one to be on duty', () => one.duty.isMine);
  expect(two.duty.isMine).toBe(false);
  await one.duty.close();
  expect(one.duty.isMine).toBe(false);
  await eventually('two to be on duty', () => two.duty.isMine);
  expect(one.duty.isMine).toBe(false);
  await two.duty.close();
});

test('when the one on duty is gone, the other one takes it over once its time is over', async () => {
  const [one, two] = [await open('one', 1_500), await open('two', 1_500)];
  await eventually('one to be on duty', () => one.duty.isMine);
  await one.backplane.close();
  await eventually('two to be on duty', () => {
    expect(one.duty.isMine && two.duty.isMine).toBe(false);
    return two.duty.isMine;
  });
  await Promise.all([one, two].map(({ duty }) => duty.close()));
});

test('without Redis everyone is, for itself', async () => {
  const duty = new HeldDuty({
    links: undefined,
    deployment: 'd',
    instance: 'i',
    name: 't',
    lastsMs: 1_000,
    servesAlone: false,
  });
  await eventually('it', () => duty.isMine);
  await duty.close();
  expect(duty.isMine).toBe(false);
});
