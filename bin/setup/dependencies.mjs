import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines } from './command.mjs';
import { SetupFailure } from './failure.mjs';
import { npm } from './npm.mjs';
import { step } from './progress.mjs';

const stampName = '.setup-stamp.json';

/**
 * What has to be done about a folder's node_modules: `nothing`, `stamp` (installed by other means, and right) or
 * `install`.
 */
export function dependenciesDecision(folder) {
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) return 'install';
  const wanted = stampFor(folder);
  const found = readJson(join(modules, stampName));
  if (found?.platform !== undefined && found.platform !== wanted.platform) return 'install';
  if (found?.files === wanted.files) return 'nothing';
  const locked = readJson(join(folder, 'package-lock.json'));
  const installed = readJson(join(modules, '.package-lock.json'));
  return sameDependencies(folder, locked, installed) ? 'stamp' : 'install';
}

export async function ensureDependencies(folder, name) {
  const decision = dependenciesDecision(folder);
  if (decision === 'nothing') return;
  if (decision === 'install')
    await step(`installing the packages of ${name} (npm ci)`, () => install(folder, name));
  writeFileSync(join(folder, 'node_modules', stampName), JSON.stringify(stampFor(folder)));
}

async function install(folder, name) {
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  const { ok, reason, output } = await npm(args, folder);
  if (ok) return;
  throw new SetupFailure(
    [
      `npm could not install the packages of ${name} (${reason}):`,
      lastLines(output),
      fixFor(output),
      `To try by hand: cd ${folder} && npm ci --ignore-scripts`,
    ].join('\n'),
  );
}

function fixFor(output) {
  if (/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET|ENETUNREACH|network/i.test(output)) {
    return 'npm does not reach its registry. Connect this machine, or set `registry` or a proxy in ~/.npmrc, and run it again.';
  }
  if (/EACCES|EPERM/.test(output))
    return 'A folder belongs to another user: take it over, or remove node_modules.';
  if (/ENOSPC/.test(output)) return 'The disk is full: make room and run it again.';
  if (/EUSAGE|in sync/.test(output)) {
    return 'package.json and package-lock.json disagree: run `npm install` there and keep both.';
  }
  return 'Mend what npm says and run it again.';
}

/** The packages' state as they ought to be; the engine's major version is in it, for packages may differ by it. */
function stampFor(folder) {
  const hash = createHash('sha256');
  for (const name of ['package.json', 'package-lock.json']) hash.update(readFileSync(join(folder, name)));
  const node = process.versions.node.split('.', 1)[0];
  return { platform: `node${node}-${process.platform}-${process.arch}`, files: hash.digest('hex') };
}

/** Whether npm's own record of what it installed agrees with the lock file and package.json. */
function sameDependencies(folder, locked, installed) {
  if (!locked?.packages || !installed?.packages) return false;
  const manifest = readJson(join(folder, 'package.json'));
  const root = locked.packages[''] ?? {};
  const asked = ['dependencies', 'devDependencies'].every(
    (kind) => JSON.stringify(manifest?.[kind] ?? {}) === JSON.stringify(root[kind] ?? {}),
  );
  const wanted = withoutRoot(locked.packages);
  const present = withoutRoot(installed.packages);
  const missing = Object.entries(wanted).some(([path, { version, optional, devOptional }]) => {
    const found = present[path];
    return found ? found.version !== version : !(optional || devOptional);
  });
  const extra = Object.keys(present).some((path) => !(path in wanted));
  return asked && !missing && !extra;
}

function withoutRoot({ '': _root, ...packages }) {
  return packages;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
