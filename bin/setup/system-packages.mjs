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
import { step } from './progress.mjs';

const titles = { redis: 'a Redis server', chromium: 'Chromium' };

/** The programs of `wanted` that this machine lacks. */
export function missingPrograms(wanted, environment = process.env) {
  const finders = { redis: findRedis, chromium: findChromium };
  return wanted.filter((what) => finders[what](environment) === undefined);
}

/**
 * How the missing ones can be had: `install` at once, `ask` first, or `print` the command and go on without.
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

/** Asks where it must; true if the missing programs may be installed. */
export async function mayInstall(missing, facts) {
  const decision = installDecision(facts);
  if (decision !== 'ask') return decision === 'install';
  const names = missing.map((what) => titles[what]).join(' and ');
  const commands = missing.map((what) => `    ${commandFor(what, facts)}`).join('\n');
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await prompt.question(
      `set-up: ${names} will be installed with\n${commands}\n  Go on? [Y/n] `,
    );
    if (!/^(y|yes|)$/i.test(answer.trim())) return false;
  } finally {
    prompt.close();
  }
  if (facts.manager === 'brew') return true;
  // sudo asks for the password here, on the terminal; afterwards it need not.
  return (await run(facts.sudo, ['-v'], { terminal: true })).ok;
}

/** Installs one program; the result is undefined, or what went wrong. */
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

/** The command that the user can copy. */
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
  const install = () => asRoot(facts, 'sh', ['-c', aptScript, 'sh', name]);
  if (packageListsExist()) {
    const first = await install();
    if (first.ok) return undefined;
  }
  // Lists that are absent or old: packages are unknown, or no longer where they were.
  const update = await asRoot(facts, 'apt-get', ['update', '-q']);
  const second = await install();
  return second.ok
    ? undefined
    : faultOf(update.ok ? second : { ...second, output: update.output + second.output });
}

/**
 * Debian's redis-server starts a service on port 6379, now and at each boot. Nobody asked for that one, so it is
 * kept from starting (a mask that a reboot forgets, or run level 1 where there is no systemd) and left disabled.
 */
const aptScript = `
service="$1.service"
if [ -d /run/systemd/system ]; then systemctl mask --runtime --quiet "$service" || true; fi
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$1"
status=$?
if [ -d /run/systemd/system ]; then
  systemctl unmask --runtime --quiet "$service" || true
  systemctl disable --quiet "$service" || true
fi
exit $status
`;

function packageListsExist() {
  const folder = '/var/lib/apt/lists';
  return existsSync(folder) && readdirSync(folder).some((name) => name.includes('_Packages'));
}

function asRoot(facts, command, args) {
  // -n: a password is never waited for here.
  return facts.asRoot ? run(command, args) : run(facts.sudo, ['-n', command, ...args]);
}

function faultOf({ ok, reason, output }) {
  return ok ? undefined : `${reason}\n${lastLines(output)}`;
}
