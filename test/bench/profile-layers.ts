import { spreadOf } from './rounds.ts';

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
export function renderLayers(
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
      .filter(([, functions]) => timeOf(functions) > total * leastShown)
      .map(([layer, functions]) => {
        const time = timeOf(functions);
        return `| ${layer} | ${((100 * time) / total).toFixed(1)} | ${(time / units).toFixed(1)} | ${mostOf(functions, units)} |`;
      }),
    `| all | 100 | ${(total / units).toFixed(1)} | |`,
  ];
}

const functionsShown = 4;
/** Of all self time. */
const leastShown = 0.005;

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
