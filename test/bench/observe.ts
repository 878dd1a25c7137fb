import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { outputFolder } from './build.ts';
import { spreadOf } from './rounds.ts';
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

/** What is used of V8's format. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Self time by layer, the most first, with the functions that take most of each. */
function renderLayers(
  title: string,
  profiles: readonly Profile[],
  { unit, units }: { readonly unit: string; readonly units: number },
): string[] {
  const layers = new Map<string, Map<string, number>>();
  for (const profile of profiles) addSelfTimes(profile, layers);
  layers.delete('(idle)');
  const timeOf = (functions: ReadonlyMap<string, number>) =>
    [...functions.values()].reduce((sum, time) => sum + time, 0);
  const total = [...layers.values()].reduce((sum, functions) => sum + timeOf(functions), 0);
  const sorted = [...layers].sort(([, a], [, b]) => timeOf(b) - timeOf(a));
  return [
    `| ${title}: self time by layer | % | µs a ${unit} | most of it |`,
    '|---|---|---|---|',
    ...sorted
      .filter(([, functions]) => timeOf(functions) > total * leastLayerShown)
      .map(([layer, functions]) => {
        const time = timeOf(functions);
        return `| ${layer} | ${((100 * time) / total).toFixed(1)} | ${(time / units).toFixed(1)} | ${mostOf(functions, units)} |`;
      }),
    `| all | 100 | ${(total / units).toFixed(1)} | |`,
  ];
}

const functionsShown = 4;
/** Of all self time. */
const leastLayerShown = 0.005;

function mostOf(functions: ReadonlyMap<string, number>, units: number): string {
  return [...functions]
    .sort(([, a], [, b]) => b - a)
    .slice(0, functionsShown)
    .map(([name, time]) => `${name} ${(time / units).toFixed(1)}`)
    .join(', ');
}

function addSelfTimes(profile: Profile, layers: Map<string, Map<string, number>>): void {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  // A sample that a busy machine took late says nothing of the time before it.
  const usual = spreadOf(profile.timeDeltas).median;
  for (const [index, id] of profile.samples.entries()) {
    const { functionName, url } = frames.get(id) as Profile['nodes'][number]['callFrame'];
    const delta = Math.min(Math.max(0, profile.timeDeltas[index] as number), 2 * usual);
    const layer = layerOf(functionName, url);
    const functions = layers.get(layer) ?? new Map<string, number>();
    layers.set(layer, functions);
    const name = functionName || '(anonymous)';
    functions.set(name, (functions.get(name) ?? 0) + delta);
  }
}

/** A folder of ours, a package, a module of Node, or what V8 calls itself. */
function layerOf(functionName: string, url: string): string {
  const [, folder] = /\/realtime-bench\/app\/server\/([\w-]+)/.exec(url) ?? [];
  if (folder !== undefined) return `ours: ${folder}`;
  const [, name = '.cache'] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (name !== '.cache') return name;
  if (url.includes('/realtime-bench/')) return 'ours: other';
  const [, module] = /^node:(?:internal\/)?([\w]+)/.exec(url) ?? [];
  if (module !== undefined) return `node:${module}`;
  return functionName.startsWith('(') ? functionName : 'Node: natives';
}
