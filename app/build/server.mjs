import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { context } from 'esbuild';

/**
 * Bundles the service, since Node takes two thirds of a start to find and compile the thousand files of its packages:
 * one file for what every start needs, and others for what is imported lazily.
 * It checks no types.
 */

const app = fileURLToPath(new URL('..', import.meta.url));
const sources = join(app, 'server');
const entry = 'main.js';
const sourceLines = 'server/process/source-lines.ts';
const chunks = 'chunks';
const versionCheck = 'node-version.mjs';
/** Milliseconds. An instance of the build before may still load a file that it has not needed yet. */
const staleMs = 24 * 3_600_000;

/** Packages ask for them by `require`, and do without. */
const optionalPackages = ['bufferutil', 'supports-color', 'utf-8-validate'];

/** @returns the files of `dist/server`: contents by path @throws Error that shows what is wrong in which line */
export async function bundleServer() {
  const { outputFiles, metafile } = await bundle();
  assertOwnPackages(metafile);
  assertNamedExports(metafile);
  return filesOf(outputFiles, metafile);
}

/** It keeps what it has read and parsed: to bundle again takes half the time. */
let bundler;

/** A process that has bundled ends once this is called. */
export async function closeBundler() {
  await bundler?.dispose();
  bundler = undefined;
}

async function bundle() {
  try {
    bundler ??= await context({
      absWorkingDir: app,
      entryPoints: { main: 'server/main.ts', 'source-lines': sourceLines },
      outdir: 'dist/server',
      entryNames: `${chunks}/[name]-[hash]`,
      chunkNames: `${chunks}/[name]-[hash]`,
      bundle: true,
      external: optionalPackages,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      // Compiling takes 30 ms a MB. Names and statements stay, for profiles and stack traces.
      minifyWhitespace: true,
      sourcemap: 'linked',
      sourcesContent: false,
      legalComments: 'none',
      metafile: true,
      write: false,
      logLevel: 'silent',
      // Packages that are CommonJS ask for Node's own modules by `require`.
      banner: {
        js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
      },
      preserveSymlinks: true,
      plugins: [keepOwnPlaces],
    });
    return await bundler.rebuild();
  } catch (error) {
    throw new Error((error.errors ?? []).map(explain).join('\n') || error.message, { cause: error });
  }
}

/** Writes what `bundleServer` gave. An instance that starts meanwhile gets the old one or the new one, whole. */
export function writeServer(files, dist) {
  const server = join(dist, 'server');
  mkdirSync(join(server, chunks), { recursive: true });
  copyScripts(server);
  cpSync(join(app, 'build', versionCheck), join(server, versionCheck));
  for (const [path, contents] of files) {
    if (path !== entry) writeFileSync(join(server, path), contents);
  }
  writeFileSync(join(server, `.${entry}`), files.get(entry));
  renameSync(join(server, `.${entry}`), join(server, entry));
  removeStale(join(server, chunks));
}

/** Lua scripts lie beside the sources that run them, and are read from there. */
const keepOwnPlaces = {
  name: 'keep-own-places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (path.includes(`${sep}node_modules${sep}`) || !source.includes('import.meta')) return undefined;
      const [other] = /import\.meta\b(?!\.url\b)(\.\w+)?/.exec(source) ?? [];
      if (other)
        return {
          errors: [{ text: `${path}: ${other} is the bundle's, not the file's: use import.meta.url` }],
        };
      const built = relative(join(sources, chunks), path).replaceAll(sep, '/').replace(/ts$/, 'js');
      const place = `new URL(${JSON.stringify(built)}, import.meta.url).href`;
      return { contents: source.replaceAll('import.meta.url', place), loader: 'ts' };
    });
  },
};

/**
 * The image has this folder alone: what a package finds above it here would be missing there, or be another one. It is
 * looked up in what was bundled, since a plugin that is asked for each import doubles the time of a build.
 */
function assertOwnPackages({ inputs }) {
  const faults = Object.entries(inputs)
    .filter(([importer]) => isInside(importer))
    .flatMap(([importer, { imports }]) => imports.map((each) => ({ importer, ...each })))
    .filter(({ path, external }) => !external && !isInside(path))
    .map(
      ({ importer, original, path }) =>
        `${importer}: "${original}" is no dependency of the service: found at ${join(app, path)}. Make it one; if ${dirname(importer)} does without, name it in \`optionalPackages\` of build/server.mjs.`,
    );
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

/** Of a chunk that is CommonJS, `import()` has `default` alone in the bundle, and all that it exports in Node itself. */
function assertNamedExports({ inputs }) {
  const faults = Object.entries(inputs)
    .filter(([importer]) => !importer.includes('node_modules/'))
    .flatMap(([importer, { imports }]) => imports.map((each) => ({ importer, ...each })))
    .filter(({ path, kind }) => kind === 'dynamic-import' && inputs[path]?.format === 'cjs')
    .map(
      ({ importer, original }) =>
        `${importer}: import("${original}") gets none of its exports once it is bundled, for it is CommonJS. Import it statically, in a module of its own that is imported lazily.`,
    );
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

function isInside(path) {
  return !path.startsWith('..');
}

function filesOf(outputFiles, { inputs, outputs }) {
  const files = new Map();
  for (const { path, contents } of outputFiles) files.set(relative(join(app, 'dist/server'), path), contents);
  const chunkOf = (source) => {
    const [path] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === source);
    return `./${chunks}/${basename(path)}`;
  };
  files.set(entry, entryText(chunkOf('server/main.ts'), chunkOf(sourceLines)));
  const packages = Object.keys(inputs).map((path) => join(app, path));
  return files.set(join(chunks, 'LICENSES.txt'), licensesOf(packages));
}

/**
 * Imported dynamically: an old Node.js could not even read the chunk. A module that throws while it is loaded ends the
 * process with the lines of the sources; Node would print the line of the bundle, which is some 100 KB long.
 */
function entryText(main, lines) {
  return `import './${versionCheck}';

try {
  const { main } = await import('${main}');
  main();
} catch (error) {
  const { withSourceLines } = await import('${lines}');
  console.error(withSourceLines(String(error?.stack ?? error)));
  process.exit(1);
}
`;
}

function explain({ text, location }) {
  if (!location) return text;
  const { file, line, column, lineText } = location;
  return `${file}:${line}:${column + 1}: ${text}\n  ${lineText.trim()}`;
}

/** Lua scripts lie beside the modules that run them. */
export function copyScripts(server) {
  for (const file of readdirSync(sources, { recursive: true })) {
    if (!file.endsWith('.lua')) continue;
    mkdirSync(join(server, dirname(file)), { recursive: true });
    cpSync(join(sources, file), join(server, file));
  }
}

/** Removes files of earlier builds. Each build touches what it wrote: what is older than the last ones is nobody's. */
export function removeStale(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > staleMs) rmSync(path, { force: true });
  }
}

/** The licenses of the packages that were bundled, as text: those ask to be kept with every copy. */
function licensesOf(moduleIds) {
  const folders = new Set(moduleIds.map(folderOf).filter((folder) => folder !== undefined));
  const packages = [...folders].map(describe);
  const texts = new Map(packages.map((each) => [`${each.name} ${each.version}`, each.text]));
  return [...texts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .join('\n');
}

function folderOf(id) {
  const modules = `${sep}node_modules${sep}`;
  const at = id.lastIndexOf(modules);
  if (at < 0) return undefined;
  const start = at + modules.length;
  const [first, second] = id.slice(start).split(sep);
  return id.slice(0, start) + (first.startsWith('@') ? join(first, second) : first);
}

function describe(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return {
    name,
    version,
    text: `${'='.repeat(80)}\n${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`,
  };
}
