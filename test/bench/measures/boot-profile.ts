import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A part of a start's CPU. */
export interface BootPart {
  /** A package with what it alone brings, our own code, or a doing of Node. */
  readonly name: string;
  /** In which it or what it calls was seen at work, without other packages that it calls. */
  readonly milliseconds: number;
}

/** What is used of V8's format. */
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  /** Microseconds of the machine's monotonic clock. */
  readonly startTime: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children?: readonly number[];
}

interface Profiled {
  /** Ends it tidily, so that Node writes the profile. */
  end(): Promise<void>;
}

const sampleEveryMicroseconds = 200;

/** @param folder where V8's own profile is kept as well, for Chrome's developer tools. @default nowhere */
export async function profileBoot(
  start: (nodeOptions: readonly string[]) => Promise<Profiled>,
  folder: string | undefined,
): Promise<readonly BootPart[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'realtime-boot-'));
  try {
    const options = ['--cpu-prof', `--cpu-prof-interval=${sampleEveryMicroseconds}`];
    const service = await start([...options, `--cpu-prof-dir=${scratch}`]);
    const readyAt = Number(process.hrtime.bigint() / 1_000n);
    await service.end();
    const file = join(scratch, readdirSync(scratch)[0] as string);
    if (folder !== undefined) {
      mkdirSync(folder, { recursive: true });
      copyFileSync(file, join(folder, 'boot.cpuprofile'));
    }
    return partsOf(JSON.parse(readFileSync(file, 'utf8')), readyAt);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** @param until of the monotonic clock, in microseconds: what comes later is no part of the start */
function partsOf(profile: Profile, until: number): readonly BootPart[] {
  const owners = ownersOf(profile.nodes);
  const times = new Map<string, number>();
  let clock = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] as number;
    clock += delta;
    if (clock > until) break;
    const owner = owners.get(id) as string;
    times.set(owner, (times.get(owner) ?? 0) + delta / 1_000);
  }
  times.delete('(idle)');
  return [...times].sort(([, a], [, b]) => b - a).map(([name, milliseconds]) => ({ name, milliseconds }));
}

/** Whose each node is: its own source's, or else its nearest caller's that has one. */
function ownersOf(nodes: readonly ProfileNode[]): ReadonlyMap<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const owners = new Map<number, string>();
  const visit = ({ id, callFrame, children = [] }: ProfileNode, caller: string | undefined) => {
    const own = packageOf(callFrame) ?? caller;
    owners.set(id, own ?? doingOf(callFrame));
    for (const child of children) visit(byId.get(child) as ProfileNode, own);
  };
  visit(nodes[0] as ProfileNode, undefined);
  return owners;
}

const maps = new Map<string, SourceMap>();

/** By the source map of the built file; the bundler's helpers have no source, and work for who calls them. */
function packageOf({ url, lineNumber, columnNumber }: ProfileNode['callFrame']): string | undefined {
  if (!url.includes('/dist/server/chunks/')) return undefined;
  const map = maps.get(url) ?? new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')));
  maps.set(url, map);
  const { originalSource } = map.findEntry(lineNumber, columnNumber) as { originalSource?: string };
  if (originalSource === undefined) return undefined;
  const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(originalSource) ?? [];
  return name ?? 'our own code';
}

function doingOf({ functionName, url }: ProfileNode['callFrame']): string {
  if (functionName === '(idle)') return functionName;
  if (functionName === '(garbage collector)') return 'Node: garbage collection';
  if (url.startsWith('node:internal/modules')) return 'Node: finding, reading and compiling files';
  return 'Node: all else';
}
