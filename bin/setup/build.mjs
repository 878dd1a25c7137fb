import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { partsMadeFrom } from '../../app/build/parts.mjs';
import { lastLines, run } from './command.mjs';
import { SetupFailure, step } from './report.mjs';

/** In `dist`: of each part a hash of the sources that it was built from. */
const stampName = '.setup-stamps.json';
const builtFile = { server: 'server/main.js', page: 'page/index.html', library: 'library' };
const titles = { server: 'the service', page: 'the page', library: 'the modules with their types' };

/** @returns those of the `wanted` parts whose sources differ from what was built last */
export function staleParts(app, wanted) {
  const stamps = readStamps(app);
  const hashes = sourceHashes(app);
  return wanted.filter(
    (part) => !existsSync(join(app, 'dist', builtFile[part])) || stamps[part] !== hashes[part],
  );
}

export async function ensureBuild(app, wanted) {
  const stale = staleParts(app, wanted);
  if (stale.length === 0) return;
  // The hashes are from before the build, so what is edited meanwhile is built next time.
  const hashes = sourceHashes(app);
  await step(`building ${stale.map((part) => titles[part]).join(', ')}`, () => build(app, stale));
  const built = Object.fromEntries(stale.map((part) => [part, hashes[part]]));
  writeFileSync(join(app, 'dist', stampName), JSON.stringify({ ...readStamps(app), ...built }));
}

async function build(app, parts) {
  // Without npm, which takes half a second to start it.
  const { ok, reason, output } = await run(process.execPath, ['build/main.mjs', ...parts], { cwd: app });
  if (ok) return;
  throw new SetupFailure(
    [
      `The service does not build (${reason}):`,
      lastLines(output, 40),
      'Mend what it reports and run it again. To try by hand: npm --prefix app run build',
    ].join('\n'),
  );
}

/** Of each source its path, size and time of change; to read all of them would take long. */
function sourceHashes(app) {
  const hashes = { server: createHash('sha256'), page: createHash('sha256'), library: createHash('sha256') };
  for (const file of sources(app)) {
    const { size, mtimeMs } = statSync(join(app, file));
    for (const part of partsMadeFrom(file)) hashes[part].update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return Object.fromEntries(Object.entries(hashes).map(([part, hash]) => [part, hash.digest('hex')]));
}

function sources(app, folder = '.') {
  const entries = readdirSync(join(app, folder), { withFileTypes: true });
  return entries
    .map((entry) => ({ path: join(folder, entry.name), isFolder: entry.isDirectory() }))
    .filter(({ path }) => partsMadeFrom(path).length > 0)
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .flatMap(({ path, isFolder }) => (isFolder ? sources(app, path) : [path]));
}

function readStamps(app) {
  try {
    return JSON.parse(readFileSync(join(app, 'dist', stampName), 'utf8'));
  } catch {
    return {};
  }
}
