import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { outputFolder } from './build.ts';
import { renderLayers } from './profile-layers.ts';
import type { Stage } from './stage.ts';

/** What is looked at beside the figures, at work that the figures leave out: looking costs, too. */
export interface Observation {
  /** Self time of the instances, by layer, from CPU profiles. */
  readonly profile: boolean;
  /** System calls of the instances, and commands in Redis. */
  readonly count: boolean;
}

/** Does some of the work again, and says how many units of it. */
export type Work = () => Promise<number>;

/** @param unit of the work, such as `delivery`  @returns Markdown  */
export async function observe(
  { profile, count }: Observation,
  stage: Stage,
  { what, unit, work }: { readonly what: string; readonly unit: string; readonly work: Work },
): Promise<string[]> {
  const title = `${what}, ${stage.variant.title}`;
  return [
    ...(profile ? await profiled(stage, title, unit, work) : []),
    ...(count ? await counted(stage, title, unit, work) : []),
  ];
}

async function profiled(stage: Stage, title: string, unit: string, work: Work): Promise<string[]> {
  const nodes = stage.instances.flatMap(({ node }) => node ?? []);
  if (nodes.length === 0) return [];
  await Promise.all(nodes.map((node) => node.ask('startProfile')));
  const units = await work();
  const files = nodes.map((_, index) =>
    join(outputFolder, 'profiles', `${title.replaceAll(/[^\w]+/g, '-')}-${index}.cpuprofile`),
  );
  await Promise.all(nodes.map((node, index) => node.ask('stopProfile', files[index])));
  const profiles = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
  return ['', ...renderLayers(title, profiles, { unit, units }), '', `Profiles: ${files.join(' ')}`];
}

async function counted(stage: Stage, title: string, unit: string, work: Work): Promise<string[]> {
  const tracer = await startTracing(stage.instances.map(({ pid }) => pid));
  const before = await stage.redis.calls();
  const units = await work();
  const after = await stage.redis.calls();
  const commands = [...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)] as const);
  return [
    ...renderCounts(`${title}: commands in Redis, those in scripts too, a ${unit}`, commands, units),
    ...(tracer
      ? renderCounts(`${title}: system calls of all instances, a ${unit}`, await tracer.end(), units)
      : ['', 'System calls were not counted: there is no strace on the PATH.']),
  ];
}

/** Fewer than so many a unit are no part of the work. */
const leastShown = 0.01;

function renderCounts(
  title: string,
  counts: readonly (readonly [name: string, count: number])[],
  units: number,
): string[] {
  const shown = counts.filter(([, count]) => count / units >= leastShown).sort(([, a], [, b]) => b - a);
  return [
    '',
    `| ${title} | |`,
    '|---|---|',
    ...shown.map(([name, count]) => `| ${name} | ${(count / units).toFixed(2)} |`),
  ];
}

interface Tracer {
  end(): Promise<[name: string, calls: number][]>;
}

const attachMs = 500;

async function startTracing(pids: readonly number[]): Promise<Tracer | undefined> {
  const args = ['-c', '-f', '-q', ...pids.flatMap((pid) => ['-p', String(pid)])];
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const started = await Promise.race([once(strace, 'spawn'), once(strace, 'error')]).catch(() => undefined);
  if (!started || strace.pid === undefined) return undefined;
  let output = '';
  strace.stderr.on('data', (data) => {
    output += data;
  });
  await delay(attachMs);
  return {
    end: async () => {
      strace.kill('SIGINT');
      await once(strace, 'close');
      // % time, seconds, microseconds a call, calls, and perhaps errors before the name.
      const lines = output.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm);
      return [...lines].flatMap(([, calls, name = '']) => (name === 'total' ? [] : [[name, Number(calls)]]));
    },
  };
}
