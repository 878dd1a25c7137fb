import { spawnSync } from 'node:child_process';
import { checkNode } from '../../../bin/setup/node-version.mjs';
import { installDecision } from '../../../bin/setup/system-packages.mjs';
import { installCommand } from '../../../lib/local/programs.mjs';
import { lockFile, SetupProject } from './fixtures/setup-project.ts';

let project: SetupProject;

beforeEach(() => {
  project = new SetupProject();
});

afterEach(() => project.delete());

const ci = 'npm ci --ignore-scripts --include=dev --no-audit --no-fund';
const build = 'npm run --silent build';
const aptRedis = 'apt-get install -y -q --no-install-recommends redis-server';

test('a fresh machine gets everything, and a second run does and says nothing', async () => {
  const first = await project.setUp();
  expect(first).toMatchObject({ code: 0 });
  expect(first.output).toContain('installing a Redis server (apt-get): done');
  expect(project.calls().filter((call) => call !== 'apt-get update -q')).toEqual([aptRedis, ci, ci, build]);
  expect(await project.setUp()).toEqual({ code: 0, output: '' });
  expect(project.calls()).toEqual([]);
});

describe('once set up', () => {
  beforeEach(async () => {
    await project.setUp();
    project.calls();
  });

  test('a changed source is built, and nothing else is done', async () => {
    project.write('app/server/main.ts', 'changed');
    expect(await project.setUp()).toMatchObject({ code: 0 });
    expect(project.calls()).toEqual([build]);
  });

  test('a changed lock file is installed in its folder', async () => {
    project.write('package-lock.json', lockFile('1.0.1'));
    expect(await project.setUp()).toMatchObject({ code: 0 });
    expect(project.calls()).toEqual([ci]);
  });

  test('a removed node_modules is installed again', async () => {
    project.remove('app/node_modules');
    expect(await project.setUp()).toMatchObject({ code: 0 });
    expect(project.calls()).toEqual([ci]);
  });

  test('a package.json that only got a script needs no packages', async () => {
    project.write('package.json', '{"scripts":{"x":"y"},"dependencies":{"a":"1.0.0"}}');
    expect(await project.setUp()).toEqual({ code: 0, output: '' });
    expect(project.calls()).toEqual([]);
  });

  test('packages that were installed by hand are kept if they are the right ones', async () => {
    project.remove('node_modules');
    project.write('node_modules/.package-lock.json', lockFile('1.0.0'));
    project.remove('app/node_modules');
    project.write('app/node_modules/.package-lock.json', lockFile('0.9.0'));
    expect(await project.setUp()).toMatchObject({ code: 0 });
    expect(project.calls()).toEqual([ci]);
  });
});

test('two set-ups at once: one works, the other waits', async () => {
  const slow = { FAKE_NPM: 'slow' };
  const both = await Promise.all([project.setUp([], slow), project.setUp([], slow)]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(project.calls().filter((call) => !call.startsWith('apt-get'))).toEqual([ci, ci, build]);
});

test('the lock of a set-up that died is taken over', async () => {
  project.write('.local/setup.lock', String(spawnSync(process.execPath, ['-e', '']).pid));
  expect(await project.setUp()).toMatchObject({ code: 0 });
  expect(project.calls()).toContain(build);
});

test('without the registry it ends with 1 and says so', async () => {
  const { code, output } = await project.setUp([], { FAKE_NPM: 'offline' });
  expect(code).toBe(1);
  expect(output).toContain('npm error code ENOTFOUND');
  expect(output).toContain('npm does not reach its registry');
  expect(output).toContain('npm ci --ignore-scripts');
});

test('a build that fails ends with 1, and the next run builds again', async () => {
  const { code, output } = await project.setUp([], { FAKE_NPM: 'nobuild' });
  expect(code).toBe(1);
  expect(output).toContain('error TS2322: no');
  project.calls();
  expect(await project.setUp()).toMatchObject({ code: 0 });
  expect(project.calls()).toEqual([build]);
});

test('no Redis to be had: it goes on, with the command to have one', async () => {
  const { code, output } = await project.setUp([], { FAKE_APT: 'fails' });
  expect(code).toBe(0);
  expect(output).toContain('E: Unable to fetch some archives');
  expect(output).toContain('a single instance will run');
  expect(output).toContain('apt-get install -y --no-install-recommends redis-server');
});

test('no Chromium to be had is an error where it was asked for', async () => {
  const { code, output } = await project.setUp(['--browser'], { FAKE_APT: 'fails' });
  expect(code).toBe(1);
  expect(output).toContain('The tests need Chromium');
  expect(output).toContain('apt-get install -y --no-install-recommends chromium');
});

test('Chromium is installed where it is asked for, and not where CHROMIUM_BIN names one', async () => {
  expect(await project.setUp(['--browser'], { CHROMIUM_BIN: '/bin/sh' })).toMatchObject({ code: 0 });
  expect(project.calls()).not.toContain('apt-get install -y -q --no-install-recommends chromium');
  expect(await project.setUp(['--browser'])).toMatchObject({ code: 0 });
  expect(project.calls()).toContain('apt-get install -y -q --no-install-recommends chromium');
});

test('an unknown option ends with 2', async () => {
  const { code, output } = await project.setUp(['--nonsense']);
  expect(code).toBe(2);
  expect(output).toContain('Unknown option "--nonsense"');
});

const person = {
  manager: 'apt-get',
  asRoot: false,
  sudo: '/usr/bin/sudo',
  terminal: true,
  ci: false,
} as const;

test.each([
  ['a person at a terminal is asked', person, 'ask'],
  ['root is not', { ...person, asRoot: true }, 'install'],
  ['nor is CI', { ...person, ci: true }, 'install'],
  ['nor where there is no terminal', { ...person, terminal: false }, 'install'],
  ['without sudo the command is printed', { ...person, sudo: undefined }, 'print'],
  ['without a package manager too', { ...person, manager: undefined }, 'print'],
  ['Homebrew needs no sudo', { ...person, manager: 'brew', sudo: undefined }, 'ask'],
  ['and refuses root', { ...person, manager: 'brew', asRoot: true }, 'print'],
] as const)('%s', (_what, facts, decision) => {
  expect(installDecision(facts)).toBe(decision);
});

test('the commands to copy', () => {
  expect(installCommand('apt-get', 'redis')).toBe(
    'sudo apt-get update && sudo apt-get install -y --no-install-recommends redis-server',
  );
  expect(installCommand('brew', 'chromium')).toBe('brew install --cask chromium');
  expect(installCommand('dnf', 'redis', true)).toBe('dnf install -y valkey');
  expect(installCommand(undefined, 'redis')).toBeUndefined();
});

test('the version of Node.js', () => {
  for (const version of ['20.19.0', '20.20.2', '22.0.0']) expect(() => checkNode(version)).not.toThrow();
  for (const version of ['18.19.0', '20.18.9']) {
    expect(() => checkNode(version)).toThrow(`Node.js 20.19 or newer is needed, got: ${version}`);
  }
});
