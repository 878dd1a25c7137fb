import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import {
  findChromium,
  findProgram,
  findRedis,
  installCommand,
  packageManager,
  packagesOf,
} from '../../lib/local/programs.mjs';
import { lastLines, run } from './command.mjs';
import { step } from './report.mjs';

const titles = { redis: 'a Redis server', chromium: 'Chromium' };

/** The programs of `wanted` that this machine lacks. */
export function missingPrograms(wanted, environment = process.env) {
  const finders = { redis: findRedis, chromium: findChromium };
  return wanted.filter((what) => finders[what](environment) === undefined);
}

/**
 * Decides about missing programs: `install` them at once, `ask` first, or `print` the command and go on without.
 * @param facts `manager`, `asRoot`, `sudo` (a path, or undefined), `terminal` and `ci`
 */
export function installDecision({ manager, asRoot, sudo, terminal, ci }) {
  if (!manager) return 'print';
  if (manager === 'brew') return asRoot ? 'print' : terminal && !ci ? 'ask' : 'install';
  if (asRoot) return 'install';
  if (!sudo) return 'print';
  return terminal && !ci ? 'ask' : 'install';
}

export function machineFacts(environment = process.env) {
  return {
    manager: packageManager(environment),
    asRoot: process.getuid?.() === 0,
    sudo: findProgram(['sudo'], environment.PATH),
    terminal: Boolean(process.stdin.isTTY && process.stdout.isTTY),
    ci: Boolean(environment.CI),
  };
}

/** Asks where it must. @returns whether the missing programs may be installed */
export async function mayInstall(missing, facts) {
  const decision = installDecision(facts);
  if (decision !== 'ask') return decision === 'install';
  const names = missing.map((what) => titles[what]).join(' and ');
  const commands = missing.map((what) => `    ${commandFor(what, facts)}`).join('\n');
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  // The prompt takes the terminal's Ctrl-C for itself.
  prompt.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await prompt.question(
      `set-up: ${names} will be installed with\n${commands}\n  Go on? [Y/n] `,
    );
    if (!/^(y|yes|)$/i.test(answer.trim())) return false;
  } finally {
    prompt.close();
  }
  if (facts.manager === 'brew') return true;
  // sudo asks for the password here, on the terminal; afterwards it does not.
  return (await run(facts.sudo, ['-v'], { terminal: true })).ok;
}

/** Installs one program. @returns undefined, or what went wrong */
export async function installProgram(what, facts) {
  let fault;
  await step(`installing ${titles[what]} (${facts.manager})`, async () => {
    for (const name of packagesOf(facts.manager, what)) {
      fault = await install(name, facts);
      if (fault === undefined) return;
    }
  });
  return fault;
}

/** The command that a person can copy. */
export function commandFor(what, { manager, asRoot }) {
  return installCommand(manager, what, asRoot) ?? fallbackAdvice[what];
}

const fallbackAdvice = {
  redis: 'install valkey-server or redis-server, so that it is on the PATH',
  chromium: 'install Chromium, so that it is on the PATH, or set CHROMIUM_BIN to its program',
};

async function install(name, facts) {
  if (facts.manager === 'brew') return faultOf(await run('brew', ['install', ...name.split(' ')]));
  if (facts.manager === 'dnf') return faultOf(await asRoot(facts, 'dnf', ['install', '-y', name]));
  return aptInstall(name, facts);
}

async function aptInstall(name, facts) {
  const install = () => withoutService(name, facts, () => aptGet(facts, ['install', ...aptOptions, name]));
  if (packageListsExist()) {
    const first = await install();
    if (first.ok) return undefined;
  }
  // The lists are absent or old: packages are unknown, or have moved on the servers.
  const update = await aptGet(facts, ['update', '-q']);
  const second = await install();
  return second.ok
    ? undefined
    : faultOf(update.ok ? second : { ...second, output: update.output + second.output });
}

const aptOptions = ['-y', '-q', '--no-install-recommends'];

/** Where there is no systemd, run level 1 keeps a package from starting its service. */
function aptGet(facts, args) {
  return asRoot(facts, 'apt-get', args, { RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' });
}

/**
 * Debian's redis-server starts a service on port 6379, now and at each boot, which nobody asked for. A mask that a
 * reboot forgets keeps it from starting now, and then it is disabled.
 */
async function withoutService(name, facts, install) {
  const isRunning = existsSync('/run/systemd/system');
  const systemctl = (command) =>
    asRoot(facts, 'systemctl', [...command, '--quiet', `${name}.service`], {}, true);
  if (isRunning) await systemctl(['mask', '--runtime']);
  try {
    return await install();
  } finally {
    if (isRunning) {
      await systemctl(['unmask', '--runtime']);
      await systemctl(['disable']);
    }
  }
}

function packageListsExist() {
  const folder = '/var/lib/apt/lists';
  return existsSync(folder) && readdirSync(folder).some((name) => name.includes('_Packages'));
}

/**
 * Runs a package manager's program. A signal ends it by SIGINT, which it answers in order: packages that are half
 * unpacked are finished first.
 */
function asRoot({ asRoot: isRoot, sudo }, command, args, variables = {}, always = false) {
  if (isRoot) {
    const end = (child) => child.kill('SIGINT');
    return run(command, args, { env: { ...process.env, ...variables }, end, always });
  }
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const prefix = assignments.length > 0 ? ['env', ...assignments] : [];
  // -n: it fails where it would have to wait for a password. Only root may signal what root runs.
  const kill = ['-n', 'sh', '-c', 'kill -INT "$1"', 'sh'];
  const end = ({ pid }) => void run(sudo, [...kill, String(pid)], { end: () => {}, always: true });
  return run(sudo, ['-n', ...prefix, command, ...args], { end, always });
}

function faultOf({ ok, reason, output }) {
  return ok ? undefined : `${reason}\n${lastLines(output)}`;
}
