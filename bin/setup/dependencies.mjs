import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLines, run } from './command.mjs';
import { note, SetupFailure, step } from './report.mjs';

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

const ownCache = fileURLToPath(new URL('../../.local/npm-cache', import.meta.url));

/** Runs npm: the one that started the set-up, if one did. */
function npm(args, cwd, environment = process.env) {
  const env = { ...withoutOuterScript(environment), ...cacheFor(environment) };
  const cli = environment.npm_execpath;
  return cli?.endsWith('.js')
    ? run(process.execPath, [cli, ...args], { cwd, env })
    : run('npm', args, { cwd, env });
}

/** The variables in which an outer npm described its script would mislead the inner one. */
function withoutOuterScript(environment) {
  const own = /^npm_(package_|lifecycle_|command$|config_(local_prefix|prefix)$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !own.test(name)));
}

/** npm fails where it can't write its cache, as in a home that is read-only: then the project has one. */
function cacheFor(environment) {
  const usual = environment.npm_config_cache ?? join(homedir(), '.npm');
  try {
    mkdirSync(usual, { recursive: true });
    accessSync(usual, constants.W_OK);
    return {};
  } catch {
    return { npm_config_cache: ownCache };
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url));
/** A registry that has not answered for so long has no network before it, in milliseconds. */
const patienceMs = 4_000;
let isWatched = false;

/**
 * Says within seconds that npm has no network: npm itself tries for minutes, in silence. Once in a set-up, and not behind
 * a proxy, which may reach what this machine does not.
 * @returns ends it
 */
function watchNetwork(environment = process.env) {
  const config = readConfig(environment);
  if (isWatched || config.proxy) return () => {};
  isWatched = true;
  const { hostname, port, protocol } = new URL(config.registry);
  const socket = connect({ host: hostname, port: Number(port || (protocol === 'http:' ? 80 : 443)) });
  const end = (fault) => {
    clearTimeout(timer);
    socket.destroy();
    if (fault === undefined) return;
    note(
      `npm has no network: ${hostname} is not reached (${fault}). npm goes on trying, and takes what its cache has; Ctrl-C ends it`,
    );
  };
  const timer = setTimeout(() => end(`no answer in ${patienceMs / 1_000} s`), patienceMs);
  socket.once('connect', () => end());
  socket.once('error', ({ code, message }) => end(code ?? message));
  return () => end();
}

/** What npm would take of its environment and of the files that people write; it has more places than these. */
function readConfig(environment) {
  const files = [join(root, '.npmrc'), environment.npm_config_userconfig ?? join(homedir(), '.npmrc')];
  const lines = files.flatMap(linesOf).map((line) => line.split('=', 2).map((part) => part.trim()));
  const urlOf = (...names) => {
    const set = names.map((name) => environment[`npm_config_${name.replace('-', '_')}`]);
    const written = lines.filter(([name]) => names.includes(name)).map(([, value]) => value);
    return [...set, ...written].find((value) => URL.canParse(value ?? ''));
  };
  const proxies = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'];
  return {
    proxy: proxies.map((name) => environment[name]).find(Boolean) ?? urlOf('https-proxy', 'proxy'),
    registry: urlOf('registry') ?? 'https://registry.npmjs.org/',
  };
}

function linesOf(file) {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
