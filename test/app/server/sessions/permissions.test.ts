import { openCache } from '../../../../app/server/cache/open-cache.ts';
import { RateLimiter } from '../../../../app/server/limits/rate-limiter.ts';
import { settleBy } from '../../../../app/server/limits/settle.ts';
import { renderAcl, serviceAcl } from '../../../../app/server/redis/acl.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { RedisRegister } from '../../../../app/server/sessions/redis-register.ts';
import { silent } from '../../../support/link.ts';
import { startRedis } from '../../../support/redis.ts';
import { eventually } from '../../../support/wait.ts';

/** A command that the service's user lacks would fail unsaid here: each of these goes on without Redis. */
test('limits, bans and caches need no more than the service may do in Redis', async () => {
  const deployment = 'allowed';
  const rules = renderAcl(serviceAcl(deployment)).split(' ');
  const redis = await startRedis(['--user', 'app', '>secret', ...rules]);
  const backplane = await openBackplane({
    sources: { url: redis.url.replace('//', '//app:secret@') },
    deployment,
    instance: 'one',
    log: silent,
  });
  await eventually('the backplane', () => backplane.status === 'joined');
  const links = backplane.links as NonNullable<typeof backplane.links>;

  const register = new RedisRegister({ links, deployment, log: silent });
  await register.add('subject:eve', 60_000);
  const loaded = new RedisRegister({ links, deployment, log: silent });
  await eventually('the other copy', () => loaded.has('subject:eve'));
  await register.remove('subject:eve');

  const cache = openCache<number>({ name: 'c', deployment, links });
  const other = openCache<number>({ name: 'c', deployment, links });
  await cache.set('k', 1, 60_000);
  expect(await other.get('k')).toBe(1);
  await cache.delete('k');
  expect(await openCache<number>({ name: 'c', deployment, links }).get('k')).toBeUndefined();

  const rule = { name: 'r', burst: 10, perSecond: 1 };
  const [one, two] = [0, 1].map(() => new RateLimiter({ rule, settle: settleBy(links, deployment) }));
  for (let call = 0; call < 10; call += 1) one?.take('ada');
  await one?.settleAll();
  two?.take('ada');
  await two?.settleAll();
  expect(two?.take('ada')).toBeGreaterThan(0);

  register.close();
  loaded.close();
  await backplane.close();
  await redis.stop();
});
