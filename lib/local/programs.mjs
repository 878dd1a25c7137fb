/**
 * The programs that are not in any package.json: how they are found and how they are installed.
 * Plain JavaScript without dependencies, for the set-up uses it before anything is installed.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Servers that speak Redis' protocol, the preferred one first. */
const redisNames = ['valkey-server', 'redis-server'];

const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Where package managers put programs that the PATH need not know of. */
const usualFolders = ['/opt/homebrew/bin', '/usr/local/bin', '/snap/bin'];

const macBrowsers = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Path of the first of the names that is found, or undefined. */
export function findProgram(names, path, extraFolders = usualFolders) {
  const folders = [...(path ?? '').split(delimiter).filter(Boolean), ...extraFolders];
  for (const name of names) {
    for (const folder of folders) {
      const file = join(folder, name);
      if (isExecutable(file)) return file;
    }
  }
  return undefined;
}

export function findRedis(environment = process.env) {
  return findProgram(redisNames, environment.PATH);
}

/** What LIVEKIT_SERVER_BIN names, or livekit-server on the PATH; it is in no package manager but Homebrew's. */
export function findLiveKit(environment = process.env) {
  return environment.LIVEKIT_SERVER_BIN || findProgram(['livekit-server'], environment.PATH);
}

/** The command, ready to copy, that installs LiveKit's server. */
export function installLiveKitCommand(manager) {
  return manager === 'brew' ? 'brew install livekit' : 'curl -sSL https://get.livekit.io | bash';
}

export function findChromium(environment = process.env) {
  if (environment.CHROMIUM_BIN) return environment.CHROMIUM_BIN;
  return findProgram(chromiumNames, environment.PATH) ?? macBrowsers.find(isExecutable);
}

/** What each package manager calls them; the first package that it has is taken. */
const packages = {
  'apt-get': { redis: ['redis-server'], chromium: ['chromium'] },
  brew: { redis: ['valkey'], chromium: ['--cask chromium'] },
  dnf: { redis: ['valkey', 'redis'], chromium: ['chromium'] },
};

/** The package manager of this machine: `apt-get`, `brew` or `dnf`, or undefined. */
export function packageManager(environment) {
  return Object.keys(packages).find((name) => findProgram([name], environment.PATH));
}

/** The packages, in order of preference, that bring `redis` or `chromium`. */
export function packagesOf(manager, what) {
  return packages[manager][what];
}

/** The command, ready to copy, that installs `redis` or `chromium`. */
export function installCommand(manager, what, asRoot = false) {
  if (!manager) return undefined;
  const [name] = packagesOf(manager, what);
  if (manager === 'brew') return `brew install ${name}`;
  const sudo = asRoot ? '' : 'sudo ';
  return manager === 'apt-get'
    ? `${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ${name}`
    : `${sudo}${manager} install -y ${name}`;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
