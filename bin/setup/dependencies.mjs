import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines } from './command.mjs';
import { npm } from './npm.mjs';
import { watchNetwork } from './registry.mjs';
import { SetupFailure, step } from './report.mjs';

const stampName = '.setup-stamp.json';

/**
 * Decides what a folder's node_modules needs: `nothing`, `stamp` (its packages were installed by hand, and are right) or
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
  linkCdk(folder);
  writeFileSync(join(folder, 'node_modules', stampName), JSON.stringify(stampFor(folder)));
}

/** From now on `npx cdk` runs bin/cdk-cli.mjs, which answers an old Node.js with a sentence. */
function linkCdk(folder) {
  const link = join(folder, 'node_modules/.bin/cdk');
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined) return;
  rmSync(link);
  symlinkSync('../../bin/cdk-cli.mjs', link);
}

async function install(folder, name) {
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  const endWatch = watchNetwork();
  const { ok, reason, output } = await npm(args, folder).finally(endWatch);
  if (ok) return;
  throw new SetupFailure(
    [
      `npm could not install the packages of ${name} (${reason}):`,
      lastLines(output),
      fixFor(output),
      `To try by hand: cd "${folder}" && npm ci --ignore-scripts`,
    ].join('\n'),
  );
}

function fixFor(output) {
  if (/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET|ENETUNREACH|network/i.test(output)) {
    return 'npm does not reach its registry. Connect this machine, or set `registry` or a proxy in ~/.npmrc, and run it again.';
  }
  if (/EROFS/.test(output)) return 'The file system is read-only: clone the project to one that is not.';
  if (/EACCES|EPERM/.test(output)) {
    return 'This user may not write there: take the folder over (sudo chown -R "$USER" it), or remove node_modules.';
  }
  if (/ENOSPC/.test(output)) return 'The disk is full: make room and run it again.';
  if (/EUSAGE|in sync/.test(output)) {
    return 'package.json and package-lock.json disagree: run `npm install` there and keep both.';
  }
  return 'Mend what npm reports and run it again.';
}

/** The state that the packages should have. They may differ by Node.js' major version, so it is in the stamp. */
function stampFor(folder) {
  const hash = createHash('sha256');
  for (const name of ['package.json', 'package-lock.json']) hash.update(readFileSync(join(folder, name)));
  const node = process.versions.node.split('.', 1)[0];
  return { platform: `node${node}-${process.platform}-${process.arch}`, files: hash.digest('hex') };
}

/** Does npm's own record of what it installed agree with the lock file and package.json? */
function sameDependencies(folder, locked, installed) {
  if (!locked?.packages || !installed?.packages) return false;
  const manifest = readJson(join(folder, 'package.json'));
  const root = locked.packages[''] ?? {};
  const isLocked = ['dependencies', 'devDependencies'].every(
    (kind) => JSON.stringify(manifest?.[kind] ?? {}) === JSON.stringify(root[kind] ?? {}),
  );
  const wanted = withoutRoot(locked.packages);
  const present = withoutRoot(installed.packages);
  const missing = Object.entries(wanted).some(([path, { version, optional, devOptional }]) => {
    const found = present[path];
    return found ? found.version !== version : !(optional || devOptional);
  });
  const extra = Object.keys(present).some((path) => !(path in wanted));
  return isLocked && !missing && !extra;
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
