import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { Session } from 'node:inspector/promises';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';
import { answerParent } from '../answer-parent.ts';
import { type HeapUse, heapUseOf } from '../heap-use.ts';

/** What this process uses, in bytes. */
export interface MemoryUse {
  readonly rss: number;
  readonly heap: number;
}

/** What each server process reads of its environment. */
export function readServerEnvironment(): { readonly redisUrl: string; readonly instance: string } {
  const { REDIS_URL: redisUrl, INSTANCE: instance } = process.env;
  if (!redisUrl || !instance) throw new Error('a server of the bench wants REDIS_URL and INSTANCE');
  return { redisUrl, instance };
}

/** Listens on a free loopback port, and reports to the parent what this process costs. */
export async function serve(http: Server, stop: () => Promise<unknown>): Promise<void> {
  http.listen(0, '127.0.0.1', 4_096);
  await once(http, 'listening');
  report((http.address() as AddressInfo).port, stop);
}

/** Reports to the parent what this process costs, which listens on this port already. */
export function report(port: number, stop: () => Promise<unknown>): void {
  answerParent({
    port: () => port,
    cpu: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    rss: () => process.memoryUsage.rss(),
    memory: measureMemory,
    heapUse: measureHeap,
    collections: takeCollections,
    startProfile,
    stopProfile,
  });
  process.once('SIGTERM', async () => {
    await stop();
    process.exit(0);
  });
}

/** Garbage collections since they were asked for last, in milliseconds. */
export interface Collections {
  readonly total: number;
  readonly longest: number;
}

let collections: Collections = { total: 0, longest: 0 };

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    const { total, longest } = collections;
    collections = { total: total + duration, longest: Math.max(longest, duration) };
  }
}).observe({ entryTypes: ['gc'] });

function takeCollections(): Collections {
  const taken = collections;
  collections = { total: 0, longest: 0 };
  return taken;
}

const inspector = new Session();

async function startProfile(): Promise<void> {
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.setSamplingInterval', { interval: 250 });
  await inspector.post('Profiler.start');
}

/** Opens in Chrome's developer tools. */
async function stopProfile(file: string): Promise<void> {
  const { profile } = await inspector.post('Profiler.stop');
  inspector.disconnect();
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(profile));
}

/** What is held, not what waits to be collected. */
async function measureMemory(): Promise<MemoryUse> {
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc?.();
    await delay(100);
  }
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heap: heapUsed };
}

/** V8 collects garbage before it takes a snapshot. */
async function measureHeap(): Promise<HeapUse> {
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(chunk as Buffer);
  return heapUseOf(JSON.parse(Buffer.concat(chunks).toString('utf8')));
}
