import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '../../..');
const home = join(root, 'lib/local');

/** A folder imports itself, what is listed here, and nothing else of the project. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  proxy: [],
  processes: ['proxy', 'app/names.ts'],
  redis: [
    'processes',
    'app/names.ts',
    'app/server/redis/acl.ts',
    'app/server/service-variables.ts',
    'app/server/variables.ts',
    'livekit/config/redis-acl.ts',
  ],
  livekit: ['redis', 'processes', 'proxy', 'app/names.ts', 'livekit/config', 'livekit/agent/names.ts'],
  watch: ['processes', 'screen.ts', 'app/build/parts.mjs'],
  control: ['livekit', 'redis', 'processes', 'proxy', 'state.ts'],
  // The files beside the folders.
  '.': [
    'control',
    'watch',
    'livekit',
    'redis',
    'processes',
    'proxy',
    'app/names.ts',
    'app/client',
    'lib/suggest.mjs',
  ],
};

interface Import {
  readonly file: string;
  /** The folder of lib/local that the file is in. */
  readonly from: string;
  /** What it imports, from lib/local or from the project's root. */
  readonly to: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(home, file), 'utf8');
  const from = dirname(file);
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g)].map(([, path = '']) => {
    const target = join(home, from, path);
    const inside = relative(home, target);
    return { file, from, to: inside.startsWith('..') ? relative(root, target) : inside };
  });
}

const files = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /\.m?ts$|\.mjs$/.test(name),
);
const imports = files.flatMap(importsOf);

function isAllowed({ from, to }: Import): boolean {
  const isOwn = dirname(to) === from;
  return isOwn || (mayImport[from] ?? []).some((each) => to === each || to.startsWith(`${each}/`));
}

test('every folder is on the map', () => {
  expect([...new Set(files.map((file) => dirname(file)))].sort()).toEqual(Object.keys(mayImport).sort());
});

test('a folder imports nothing but what the map allows', () => {
  expect(imports.length).toBeGreaterThan(80);
  expect(imports.filter((each) => !isAllowed(each))).toEqual([]);
});

test('the map has no cycle', () => {
  const reach = (folder: string): string[] => [
    folder,
    ...(mayImport[folder] ?? []).filter((each) => each in mayImport).flatMap(reach),
  ];
  for (const [folder, below] of Object.entries(mayImport)) {
    for (const each of below) expect(reach(each)).not.toContain(folder);
  }
});
