import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines } from './command.mjs';
import { SetupFailure } from './failure.mjs';
import { npm } from './npm.mjs';
import { step } from './progress.mjs';

const stampName = '.setup-stamp';
const notSources = new Set(['node_modules', 'dist']);

/** Whether the service's sources are other than those that were built last. */
export function needsBuild(app) {
  return !existsSync(join(app, 'dist/server/main.js')) || readStamp(app) !== sourcesHash(app);
}

export async function ensureBuild(app) {
  if (!needsBuild(app)) return;
  // Taken first: what is edited while it builds is built next time.
  const hash = sourcesHash(app);
  await step('building the service and its page', () => build(app));
  writeFileSync(join(app, 'dist', stampName), hash);
}

async function build(app) {
  const { ok, reason, output } = await npm(['run', '--silent', 'build'], app);
  if (ok) return;
  throw new SetupFailure(
    [
      `The service does not build (${reason}):`,
      lastLines(output, 40),
      'Mend what it says and run it again. To try by hand: npm --prefix app run build',
    ].join('\n'),
  );
}

/** A hash of each source's path, size and time of change, which is quick where reading them all is not. */
function sourcesHash(app) {
  const hash = createHash('sha256');
  for (const file of sources(app)) {
    const { size, mtimeMs } = statSync(join(app, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function sources(app, folder = '.') {
  const entries = readdirSync(join(app, folder), { withFileTypes: true });
  return entries
    .filter(({ name }) => !notSources.has(name) && !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? sources(app, path) : [path];
    });
}

function readStamp(app) {
  try {
    return readFileSync(join(app, 'dist', stampName), 'utf8');
  } catch {
    return undefined;
  }
}
