import { setTimeout as delay } from 'node:timers/promises';
import { environmentNames as names } from '../../../app/names.ts';
import { readEnvironment } from '../../../app/server/environment.ts';
import { keepShortLivedYoung } from '../../../app/server/process/garbage-collection.ts';
import { createLog } from '../../../app/server/process/log.ts';
import { startService } from '../../../app/server/service.ts';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { benchSecret } from '../bench-token.ts';
import { readServerEnvironment, report } from './report.ts';

/** The service as it is deployed: tokens, limits, presence, metrics, and both protocols. */
keepShortLivedYoung();
const { redisUrl, instance } = readServerEnvironment();
const port = await freePort();
const environment = readEnvironment({
  [names.host]: '127.0.0.1',
  [names.port]: String(port),
  [names.redisUrl]: redisUrl,
  [names.instanceId]: instance,
  [names.deployment]: 'bench',
  [names.authSecret]: benchSecret,
  // Each client is an address of its own, as the limits of addresses expect.
  [names.trustedProxyHops]: '1',
  [names.drainSeconds]: '1',
});
const service = await startService(environment, createLog('warn', instance));
while (service.readiness() !== 'ok') await delay(20);
report(port, () => service.stop());
