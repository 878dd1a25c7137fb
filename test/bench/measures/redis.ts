import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../children.ts';
import type { AppendRequest } from '../load/appends.ts';
import { type BenchRedis, startBenchRedis } from '../redis.ts';
import type { BenchContext } from '../rounds.ts';

export interface RedisFigures {
  /** Microseconds of Redis's CPU for one publish that is numbered, logged, replicated and broadcast. */
  readonly cpuPerAppend: number;
  /** The same for a PUBLISH that is only broadcast. */
  readonly cpuPerPublish: number;
  readonly appends: number;
}

/** What a publish costs Redis, with a replica and two instances that listen. */
export async function measureRedis(context: BenchContext): Promise<readonly RedisFigures[]> {
  const rounds: RedisFigures[] = [];
  for (let round = 1; round <= context.rounds; round += 1) {
    const figures = await measureOnce(context.quick ? 1_500 : 5_000);
    rounds.push(figures);
    context.print(`redis, round ${round} of ${context.rounds}: ${JSON.stringify(figures)}`);
  }
  return rounds;
}

async function measureOnce(forMs: number): Promise<RedisFigures> {
  const primary = await startBenchRedis(['--repl-diskless-sync-delay', '0']);
  const replica = await startBenchRedis(['--replicaof', '127.0.0.1', String(primary.port)]);
  const listeners = [new Child('load/appends'), new Child('load/appends')];
  const driver = new Child('load/appends');
  const request: AppendRequest = { redisUrl: primary.url, rooms: 400, underWay: 50, forMs };
  const costOf = async (method: 'append' | 'publish') => {
    await driver.ask(method, { ...request, forMs: 1_000 });
    const cpu = await primary.cpu();
    const done = await driver.ask<number>(method, request);
    return { cost: ((await primary.cpu()) - cpu) / done, done };
  };
  try {
    await untilReplicating(replica);
    await Promise.all(listeners.map((listener) => listener.ask('listen', request)));
    const append = await costOf('append');
    const publish = await costOf('publish');
    await checkHeard(listeners, append.done + publish.done);
    return { cpuPerAppend: append.cost, cpuPerPublish: publish.cost, appends: append.done };
  } finally {
    await Promise.all([driver, ...listeners].map((child) => child.end()));
    await Promise.all([primary.stop(), replica.stop()]);
  }
}

async function untilReplicating({ client }: BenchRedis): Promise<void> {
  while (!/^master_link_status:up/m.test(await client.info('replication'))) await delay(50);
}

/** A cost is worth nothing if what it is the cost of did not happen. */
async function checkHeard(listeners: readonly Child[], least: number): Promise<void> {
  for (const listener of listeners) {
    const deadline = Date.now() + 5_000;
    let heard = 0;
    while (heard < least && Date.now() < deadline) {
      await delay(100);
      heard = await listener.ask<number>('heard');
    }
    if (heard < least) throw new Error(`${heard} of at least ${least} messages were heard`);
  }
}
