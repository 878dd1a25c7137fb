import { HeldDuty } from '../../../../app/server/leases/duty.ts';
import { type Backplane, openBackplane } from '../../../../app/server/redis/backplane.ts';
import { silent } from '../../../support/redis/link.ts';
import { redisKinds } from '../../../support/redis/redis-kinds.ts';
import { eventually } from '../../../support/wait.ts';

const backplanes: Backplane[] = [];
afterEach(() => Promise.all(backplanes.splice(0).map((backplane) => backplane.close())));

async function open(
  url: string,
  instance: string,
  lastsMs: number,
): Promise<{ duty: HeldDuty; backplane: Backplane }> {
  const backplane = await openBackplane({
    sources: { url },
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

describe.each(redisKinds)('a duty in %s', (_kind, use) => {
  const own = use();

  test('one is on duty; when it gives that back the other one is at once, and never both', async () => {
    // So long that nothing but the notice can tell the other one.
    const [one, two] = [await open(own.url, 'one', 600_000), await open(own.url, 'two', 600_000)];
    await eventually('one to be on duty', () => one.duty.isMine);
    expect(two.duty.isMine).toBe(false);
    await one.duty.close();
    expect(one.duty.isMine).toBe(false);
    await eventually('two to be on duty', () => two.duty.isMine);
    expect(one.duty.isMine).toBe(false);
    await two.duty.close();
  });

  test('when the one on duty is gone, the other one takes it over once its time is over', async () => {
    const [one, two] = [await open(own.url, 'one', 1_500), await open(own.url, 'two', 1_500)];
    await eventually('one to be on duty', () => one.duty.isMine);
    await one.backplane.close();
    await eventually('two to be on duty', () => {
      expect(one.duty.isMine && two.duty.isMine).toBe(false);
      return two.duty.isMine;
    });
    await Promise.all([one, two].map(({ duty }) => duty.close()));
  });
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
