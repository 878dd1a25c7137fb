/**
 * What a test needs, found by what it imports, itself or over other modules: nobody keeps a list of tests.
 * Plain JavaScript without dependencies, for it is asked before anything is installed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Each need with the modules that bring it: whoever imports one of them, or names it to a process, has the need. */
const bringers = {
  /** It starts processes, of whatever kind. */
  processes: ['node:child_process', 'playwright-core'],
  redis: ['test/support/redis/redis.ts', 'lib/local/topology.ts'],
  chromium: ['test/support/clients/browser.ts'],
  /** The built service. */
  service: ['test/support/servers/service.ts', 'lib/local/topology.ts', 'app/dist'],
};

const isModule = /\.(ts|tsx|mjs)$/;
const imports = /^(?:import|export)\s[^;]*?from\s'([^']+)'|^import\s'([^']+)'|\bimport\('([^']+)'\)/gm;
const importsOfTypes = /^(?:import|export)\stype\s[^;]*?from\s'[^']+';/gm;
/** A module that is named by its path is one that some process is to run. */
const paths = /'([\w@./-]+\.(?:ts|mjs))'/g;

/** `app/dist` as a path, or as what is joined to `app`. */
const builtFiles = /\bapp\/dist\/|\bapp, 'dist/;

const dependencies = new Map();

/** All test files, as absolute paths. */
export function testFiles() {
  return readdirSync(join(root, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(root, 'test', name))
    .sort();
}

/** @returns {Set<string>} of `processes`, `redis`, `chromium` and `service` */
export function needsOf(file) {
  const reached = reachedFrom(file);
  return new Set(
    Object.keys(bringers).filter((need) => modulesThatBring(need).some((one) => reached.has(one))),
  );
}

function modulesThatBring(need) {
  return bringers[need].map((name) => (isModule.test(name) ? existing(join(root, name), need) : name));
}

function existing(file, need) {
  if (existsSync(file)) return file;
  throw new Error(
    `test/runner/needs.mjs names ${file} for "${need}", and there is no such file: name what took its place`,
  );
}

/** The file, every module of ours that it depends on, and the packages that those import. */
function reachedFrom(file) {
  const reached = new Set([file]);
  for (const module of reached) {
    if (isModule.test(module) && module.startsWith(root))
      for (const one of dependenciesOf(module)) reached.add(one);
  }
  return reached;
}

function dependenciesOf(file) {
  if (!dependencies.has(file)) dependencies.set(file, [...readDependencies(file)]);
  return dependencies.get(file);
}

function* readDependencies(file) {
  const text = readFileSync(file, 'utf8').replaceAll(importsOfTypes, '');
  for (const [, ...names] of text.matchAll(imports)) {
    const name = names.find(Boolean);
    yield name.startsWith('.') ? resolve(dirname(file), name) : name;
  }
  if (builtFiles.test(text)) yield 'app/dist';
  for (const [, path] of text.matchAll(paths)) {
    for (const one of [resolve(dirname(file), path), join(root, path)]) if (existsSync(one)) yield one;
  }
}
