import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parts } from './parts.mjs';
import { bundleServer, closeBundler, copyScripts, removeStale, writeServer } from './server.mjs';

const app = fileURLToPath(new URL('..', import.meta.url));
const dist = join(app, 'dist');
const aside = join(app, `.dist-${process.pid}`);

/** Each builds one part and returns what puts it in place. */
const builders = { server: buildServer, page: buildPage, library: buildLibrary };

/**
 * Builds `dist`, or the parts of it that are named. All of them are built aside, and put in place when all are there: a
 * build that fails changes nothing. Whoever reads a part meanwhile gets the old one or the new one.
 * @param args names of parts; `--server-into FOLDER` has the service in `FOLDER/server`
 * @throws Error that shows what is wrong
 */
export async function build(args) {
  try {
    await buildAgain(args);
  } finally {
    await closeBundler();
  }
}

process.on('exit', removeAside);
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

/** The same in a process that lives on, and builds faster the next time. */
export async function buildAgain(args) {
  try {
    await buildParts(args);
  } finally {
    removeAside();
  }
}

async function buildParts(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { 'server-into': { type: 'string', default: dist } },
  });
  const wanted = positionals.length > 0 ? positionals : parts;
  const unknown = wanted.find((part) => !parts.includes(part));
  if (unknown) throw new Error(`There is no part "${unknown}" to build: there are ${parts.join(', ')}.`);
  const serverFolder = resolve(values['server-into']);
  const results = await Promise.allSettled(wanted.map((part) => builders[part](serverFolder)));
  const faults = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message);
  if (faults.length > 0) throw new Error(faults.join('\n\n'));
  for (const { value: putInPlace } of results) putInPlace();
}

async function buildServer(folder) {
  const files = await bundleServer();
  return () => writeServer(files, folder);
}

/** A page that is open may still load a file of the build before, so that one's stay for a while. */
async function buildPage() {
  const built = join(aside, 'page');
  await run('vite/bin/vite.js', ['build', 'page', '--logLevel', 'warn', '--outDir', built]);
  return () => {
    const page = join(dist, 'page');
    const files = readdirSync(built, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(built.length + 1));
    // It names the others, so it comes last.
    for (const file of [...files.filter((name) => name !== 'index.html'), 'index.html']) {
      mkdirSync(dirname(join(page, file)), { recursive: true });
      renameSync(join(built, file), join(page, file));
    }
    if (existsSync(join(page, 'assets'))) removeStale(join(page, 'assets'));
  };
}

async function buildLibrary() {
  const built = join(aside, 'library');
  await run('typescript/bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', built]);
  copyScripts(join(built, 'server'));
  return () => {
    const library = join(dist, 'library');
    mkdirSync(dist, { recursive: true });
    if (existsSync(library)) renameSync(library, join(aside, 'last'));
    renameSync(built, library);
    linkClient();
  };
}

/** `dist/client` is where who loads the client from a folder finds it, whatever else the library has. */
function linkClient() {
  const client = join(dist, 'client');
  rmSync(client, { recursive: true, force: true });
  symlinkSync(join('library', 'client'), client, 'junction');
}

function run(program, args) {
  return new Promise((resolve, reject) => {
    const file = join(app, 'node_modules', program);
    execFile(process.execPath, [file, ...args], { cwd: app }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim();
      if (error) return reject(new Error(output || error.message));
      if (output) console.error(output);
      resolve();
    });
  });
}

/** A folder `.dist-PID…` is that process's own: removes this one's, and what was left by those that were killed. */
function removeAside() {
  for (const name of readdirSync(app)) {
    const pid = Number(/^\.dist-(\d+)/.exec(name)?.[1]);
    if (pid === process.pid || (pid && !isAlive(pid)))
      rmSync(join(app, name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}
