import { openCache } from '../../../../app/server/cache/open-cache.ts';
import { RedisDenyList } from '../../../../app/server/deny-list/redis-deny-list.ts';
import { RateLimiter, syncBy } from '../../../../app/server/limits/rate-limiter.ts';
import { renderAcl, serviceAcl } from '../../../../app/server/redis/acl.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis } from '../../../support/redis/redis.ts';
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

  const list = new RedisDenyList({ links, deployment, log: silent });
  await list.deny('subject:eve', 60_000);
  const loaded = new RedisDenyList({ links, deployment, log: silent });
  await eventually('the other copy', () => loaded.denies('subject:eve'));
  await list.lift('subject:eve');

  const cache = openCache<number>({ name: 'c', deployment, links });
  const other = openCache<number>({ name: 'c', deployment, links });
  await cache.set('k', 1, 60_000);
  expect(await other.get('k')).toBe(1);
  await cache.delete('k');
  expect(await openCache<number>({ name: 'c', deployment, links }).get('k')).toBeUndefined();

  const rule = { name: 'r', burst: 10, perSecond: 1 };
  const [one, two] = [0, 1].map(() => new RateLimiter({ rule, sync: syncBy(links, deployment) }));
  for (let call = 0; call < 10; call += 1) one?.consume('ada');
  await one?.syncAll();
  two?.consume('ada');
  await two?.syncAll();
  expect(two?.consume('ada')).toBeGreaterThan(0);

  list.close();
  loaded.close();
  await backplane.close();
  await redis.stop();
});
