import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { linesOf } from '../../../support/log-lines.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

/** What an instance says of a Redis that it can't work with, and that it does not join. */

const keep = stoppedAfterwards();

test.each([
  [
    'no password given',
    ['--requirepass', 'secret'],
    'redis://',
    'asks for a password and the setting has none (NOAUTH)',
  ],
  [
    'a wrong password',
    ['--requirepass', 'secret'],
    'redis://:hunter2@',
    'refuses the password of user default',
  ],
  ['an unknown user', [], 'redis://nobody:hunter2@', 'refuses the password of user nobody'],
  ['TLS asked of a plain port', [], 'rediss://', 'speaks plain Redis and the setting asks for TLS'],
  [
    'one that evicts',
    ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'],
    'redis://',
    'Set it to noeviction',
  ],
  ['a replica', ['--replicaof', '127.0.0.1', '9'], 'redis://', 'is a replica: name the primary endpoint'],
])('%s', async (_case, options, login, fault) => {
  const { port } = await keep(startRedis(options));
  const { log, text } = linesOf();
  const backplane = await openBackplane({
    sources: { url: `${login}127.0.0.1:${port}` },
    deployment: 'test',
    instance: 'app',
    log,
  });
  await keep({ stop: () => backplane.close() });
  await eventually('the fault in the log', () => text().includes(fault));
  expect(text()).not.toContain('hunter2');
  expect(backplane.status).toBe('starting');
});
