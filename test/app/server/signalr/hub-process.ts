import { connectRedis } from '../../../support/redis/redis-client.ts';
import { startHubInstance } from './test-hub.ts';

/** One instance of the tests' hub, as a process of its own. Its parent asks it by messages. */

/** What the parent asks, and is answered with: of `close`, nothing. */
export type Request = 'aborted' | 'relayed' | 'close';
export type Answer = { readonly url: string } | { readonly request: Request; readonly value: number };

const [name = '', redisPort = ''] = process.argv.slice(2);
const say = (answer: Answer) => process.send?.(answer);
const instance = await startHubInstance(name, await connectRedis(Number(redisPort)));

process.on('message', (request: Request) => {
  if (request === 'close') for (const connection of instance.signalr) connection.close();
  else say({ request, value: request === 'aborted' ? instance.hub.aborted : instance.relay.requests });
});
process.on('disconnect', () => process.exit(0));
say({ url: instance.url });
