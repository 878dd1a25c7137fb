import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { basename } from 'node:path';
import { redisBinary } from '../support/redis/redis.ts';

/** When and where the bench runs: no figure has a meaning without it. */
export interface Machine {
  /** ISO date. */
  readonly date: string;
  readonly processor: string;
  readonly gigabytes: number;
  readonly platform: string;
  readonly node: string;
  readonly redis: string;
  /** Load average before the bench adds its own load. */
  readonly load: number;
}

export function readMachine(): Machine {
  const [processor] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const redis = execFileSync(redisBinary, ['--version'], { encoding: 'utf8' });
  const [, version] = /v=([\d.]+)/.exec(redis) ?? [];
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: `${cpus().length} × ${processor?.model.trim() || 'unnamed processor'}`,
    gigabytes,
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    redis: `${basename(redisBinary, '-server')} ${version}`,
    load: loadavg()[0] as number,
  };
}

export function describeMachine({
  date,
  processor,
  gigabytes,
  platform,
  node,
  redis,
  load,
}: Machine): string {
  return [
    date,
    `${processor}, ${gigabytes} GB`,
    platform,
    `Node ${node}`,
    redis,
    'all on loopback',
    `load ${load.toFixed(1)} before`,
  ].join('; ');
}

/** Files that a process may have open. Node raises its own limit as far as it may; elsewhere than on Linux nothing says how far. */
export function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 10_000);
  } catch {
    return 10_000;
  }
}
