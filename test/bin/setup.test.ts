import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { freePort } from '../../lib/local/processes/ports.ts';
import { allGone } from '../lib/local/fixtures/local-command.ts';
import { eventually } from '../support/wait.ts';
import { lockFile, SetupProject } from './fixtures/setup-project.ts';

let project: SetupProject;

beforeEach(() => {
  project = new SetupProject();
});

afterEach(() => project.delete());

const ci = 'npm ci --ignore-scripts --include=dev --no-audit --no-fund';
const build = 'build server page';
const aptRedis = 'apt-get install -y -q --no-install-recommends redis-server';

test('a fresh machine gets everything, and a second run does and says nothing', async () => {
  const first = await project.setUp();
  expect(first).toMatchObject({ code: 0 });
  expect(first.output).toContain('installing a Redis server (apt-get): done');
  expect(project.calls().filter((call) => call !== 'apt-get update -q')).toEqual([aptRedis, build, ci, ci]);
  expect(await project.setUp()).toEqual({ code: 0, output: '' });
  expect(project.calls()).toEqual([]);
});

test('a user who is not root gets it by sudo, which never waits for a password', async () => {
  project.asUser();
  expect(await project.setUp()).toMatchObject({ code: 0 });
  const calls = project.allCalls();
  expect(calls).toEqual(expect.arrayContaining([aptRedis, build, ci]));
  const bySudo = calls.filter((call) => call.startsWith('sudo'));
  expect(bySudo).toContain(`sudo -n env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive ${aptRedis}`);
  expect(bySudo.every((call) => call.startsWith('sudo -n '))).toBe(true);
});

describe('once set up', () => {
  beforeEach(async () => {
    await project.setUp();
    project.calls();
  });

  test('each change builds what is made from it, and nothing else is done', async () => {
    for (const [source, calls] of [
      ['server/main.ts', ['build server']],
      ['page/index.html', ['build page']],
      ['client/hub.ts', ['build page']],
      ['names.ts', [build]],
      ['client/README.md', []],
    ] as const) {
      project.write(`app/${source}`, 'changed');
      expect(await project.setUp()).toMatchObject({ code: 0 });
      expect([source, project.calls()]).toEqual([source, calls]);
    }
  });

  test('the tests need the modules with their types too', async () => {
    expect(await project.setUp(['--only', 'service'])).toMatchObject({ code: 0 });
    expect(project.calls()).toEqual(['build library']);
    project.write('app/client/hub.ts', 'changed');
    expect(await project.setUp(['--only', 'service'])).toMatchObject({ code: 0 });
    expect(project.calls()).toEqual(['build page library']);
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
  expect(project.calls().filter((call) => !call.startsWith('apt-get'))).toEqual([build, ci, ci]);
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

test('without a network it says so while npm still tries, and goes on', async () => {
  const registry = `http://127.0.0.1:${await freePort()}/`;
  const environment = { FAKE_NPM: 'waits', HTTPS_PROXY: '', npm_config_registry: registry };
  const { process: child, ended } = project.start([], environment);
  let shown = '';
  child.stdout?.on('data', (data) => {
    shown += data;
  });
  await eventually('the note', () =>
    shown.includes('npm has no network: 127.0.0.1 is not reached (ECONNREFUSED)'),
  );
  project.letGo();
  const { code, output } = await ended;
  expect(code).toBe(0);
  expect(output.match(/npm has no network/g)).toHaveLength(1);
});

test('a registry that is reached is not spoken of', async () => {
  const registry = createServer().listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const reached = once(registry, 'connection');
  const { port } = registry.address() as AddressInfo;
  const environment = {
    FAKE_NPM: 'waits',
    HTTPS_PROXY: '',
    npm_config_registry: `http://127.0.0.1:${port}/`,
  };
  const { ended } = project.start([], environment);
  const [socket] = await reached;
  project.letGo();
  const { code, output } = await ended;
  socket.destroy();
  registry.close();
  expect([code, output.includes('network')]).toEqual([0, false]);
});

test('a build that fails ends with 1, and the next run builds again', async () => {
  const { code, output } = await project.setUp([], { FAKE_BUILD: 'fails' });
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

test.each([
  [['--browsr'], `can't take "--browsr". Did you mean --browser? It takes --browser, or`],
  [['--only', 'packages,chromiun'], 'Did you mean chromium?'],
  [['--only'], `can't take "--only". It takes`],
  [['--browser', 'x'], `can't take "--browser x"`],
])('%j ends with 2, and what it can take', async (args, message) => {
  const { code, output } = await project.setUp(args);
  expect(code).toBe(2);
  expect(output).toContain(message);
  expect(project.calls()).toEqual([]);
});

test('only what is named is done', async () => {
  expect(await project.setUp(['--only', 'packages'])).toMatchObject({ code: 0 });
  expect(project.calls()).toEqual([ci, ci]);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends npm and all that it started, and the next run goes on',
  async (signal) => {
    const { process, ended } = project.start([], { FAKE_NPM: 'hangs' });
    await eventually('both folders to be installed', () => project.hanging().length === 4);
    process.kill(signal);
    const { code, output } = await ended;
    expect(code).toBe({ SIGINT: 130, SIGTERM: 143 }[signal]);
    expect(output).not.toContain('could not install');
    await allGone(project.hanging());
    expect(await project.setUp()).toMatchObject({
      code: 0,
      output: expect.not.stringContaining('waiting for it'),
    });
  },
);

test.each(['root', 'a user'])('apt-get of %s is interrupted and ends in order', async (who) => {
  if (who === 'a user') project.asUser();
  const { process, ended } = project.start([], { FAKE_APT: 'hangs' });
  await eventually('apt-get to run', () => project.hanging().length === 2);
  process.kill('SIGINT');
  expect((await ended).code).toBe(130);
  expect(project.calls()).toContain('apt-get ended in order');
  await allGone(project.hanging());
});
