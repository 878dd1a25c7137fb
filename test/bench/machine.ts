import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
import { redisBinary } from '../support/redis.ts';

/** Where, when and beside what: no figure means anything without it. Asked before the bench adds its own load. */
export function describeMachine(): string {
  const [processor] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const redis = execFileSync(redisBinary, ['--version'], { encoding: 'utf8' });
  const [, version] = /v=([\d.]+)/.exec(redis) ?? [];
  const date = new Date().toISOString().slice(0, 10);
  return [
    date,
    `${cpus().length} × ${processor?.model.trim() || 'unnamed processor'}, ${gigabytes} GB`,
    `${process.platform} ${process.arch}`,
    `Node ${process.versions.node}`,
    `${redisBinary.replace('-server', '')} ${version}`,
    'all on loopback',
    `load ${(loadavg()[0] as number).toFixed(1)} before`,
  ].join('; ');
}
