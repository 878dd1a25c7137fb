import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { TestRedis } from '../../../support/redis/redis.ts';
import type { Answer, Request } from './hub-process.ts';
import { startHubInstance } from './test-hub.ts';

/** An instance that serves the tests' hub: in this process, or in one of its own. */
export interface HubInstance {
  readonly url: string;
  /** Streams of its hub that were told to stop. */
  aborted(): Promise<number>;
  /** Requests that it sent on to others. */
  relayed(): Promise<number>;
  /** Ends all its connections, whose clients may come back. */
  closeAll(): Promise<void>;
  stop(): Promise<void>;
}

/** For a run of all tests: it takes no time to start. */
export async function startHere(name: string, redis: Redis): Promise<HubInstance> {
  const { url, hub, relay, signalr, stop } = await startHubInstance(name, redis);
  return {
    url,
    aborted: async () => hub.aborted,
    relayed: async () => relay.requests,
    closeAll: async () => {
      for (const connection of signalr) connection.close();
    },
    stop,
  };
}

/** As in production, where nothing but the network is between instances. */
export async function startProcess(name: string, { port }: TestRedis): Promise<HubInstance> {
  const entry = join(import.meta.dirname, 'hub-process.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', entry, name, String(port)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    url,
    aborted: () => ask(child, 'aborted'),
    relayed: () => ask(child, 'relayed'),
    closeAll: async () => void child.send('close' satisfies Request),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function ask(child: ChildProcess, request: Request): Promise<number> {
  const answers = on(child, 'message');
  child.send(request);
  for await (const [answer] of answers as AsyncIterable<[Answer]>) {
    if ('request' in answer && answer.request === request) return answer.value;
  }
  throw new Error('the instance has ended');
}
