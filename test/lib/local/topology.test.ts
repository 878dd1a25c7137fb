import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { ControlClient } from '../../../lib/local/control/client.ts';
import { stateFile, type TopologyState } from '../../../lib/local/state.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { eventually } from '../../support/wait.ts';
import { ask } from './fixtures/client.ts';
import { allGone, fakeService, LocalCommand, stateOn } from './fixtures/local-command.ts';

const running: LocalCommand[] = [];

afterEach(() => {
  for (const { process } of running.splice(0)) process.kill('SIGKILL');
});

function local(args: readonly string[] = [], environment: NodeJS.ProcessEnv = {}): LocalCommand {
  const command = new LocalCommand(args, environment);
  running.push(command);
  return command;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** Where what is secret is kept in files. */
function folderOf({ redis }: TopologyState): string {
  return dirname(redis?.caFile as string);
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(!socket.destroy()));
    socket.on('error', () => resolve(true));
  });
}

test('the real service: two instances and Redis, a message across, instances killed, added and removed', async () => {
  const command = local(['--livekit', '0']);
  const state = await command.ready();
  await command.prints('smoke test passed: a message went across instances');
  const port = portOf(state.url);
  expect(state.pid).toBe(command.process.pid);
  expect(state.processes.map(({ id, kind }) => [id, kind])).toEqual([
    ['proxy', 'proxy'],
    ['redis', 'redis'],
    ['app-1', 'instance'],
    ['app-2', 'instance'],
  ]);
  expect(statSync(stateFile(port)).mode & 0o777).toBe(0o600);
  expect((await ask(port, { path: '/health/ready' })).body).toBe('{"status":"ok"}');

  const control = new ControlClient(state.control);
  const { pid } = await control.killInstance('app-1');
  await allGone([pid]);
  await eventually('app-1 to be back', async () => {
    const part = (await control.state()).processes.find(({ id }) => id === 'app-1');
    return part?.health === 'healthy' && part.pid !== pid;
  });
  expect(command.output).toContain(`app-1 (pid ${pid}) ended: SIGKILL`);

  const added = await control.addInstance();
  expect(added).toMatchObject({ id: 'app-3', kind: 'instance', health: 'healthy' });
  expect(await control.removeInstance('app-2', 100)).toEqual({ id: 'app-2' });
  const { processes } = await control.state();
  expect(processes.map(({ id }) => id)).toEqual(['proxy', 'redis', 'app-1', 'app-3']);
  await allGone([state.processes.find(({ id }) => id === 'app-2')?.pid]);
  await expect(control.killInstance('app-2')).rejects.toThrow('no instance "app-2"; there are: app-1, app-3');
  await expect(control.removeInstance('app-1', -1)).rejects.toThrow('delayMs must be a whole number');
  await expect(new ControlClient({ ...state.control, token: 'x' }).state()).rejects.toThrow('401');

  command.process.kill('SIGTERM');
  expect(await command.ended()).toBe(0);
  await allGone(processes.map((part) => part.pid));
  expect(existsSync(stateFile(port))).toBe(false);
  expect(existsSync(folderOf(state))).toBe(false);
});

test('a parent that is SIGKILLed leaves nothing, not even processes that ignore SIGTERM', async () => {
  const command = local(['--entry', fakeService, '--no-agent'], { FAKE_SERVICE: 'deaf' });
  const state = await command.ready();
  command.process.kill('SIGKILL');
  await allGone(state.processes.map(({ pid }) => pid));
  await eventually('the state file to be gone', () => !existsSync(stateFile(portOf(state.url))));
  await eventually('its certificate to be gone', () => !existsSync(folderOf(state)));
});

test('without a Redis program one instance runs, which is said', async () => {
  const command = local(['--entry', fakeService, '--instances', '3', '--livekit', '0'], {
    PATH: '/nowhere',
    REDIS_URL: 'redis://x',
  });
  const state = await command.ready();
  await command.prints('one instance runs, without a backplane, not 3');
  expect(state.processes.map(({ id }) => id)).toEqual(['proxy', 'app-1']);
  expect((await ask(portOf(state.url))).body).toBe('app-1 none');
  await expect(new ControlClient(state.control).addInstance()).rejects.toThrow('409 without Redis');
});

test('a wrong option ends with 2 and starts nothing', async () => {
  const command = local(['--instances', '0']);
  expect(await command.ended()).toBe(2);
  expect(command.output).toBe(
    '--instances must be a whole number from 1 to 16, got: "0". For example: --instances 2\n',
  );
});

describeInFull('topology', 'starts and ends of other kinds', () => {
  test('npm that is SIGKILLed, and not the shell that it runs scripts in, leaves nothing', async () => {
    const script = `node --import tsx bin/local.ts --instances 1 --livekit 0 --entry '${fakeService}'; true`;
    const npm = spawn(
      process.execPath,
      ['-e', `require('child_process').spawn('sh', ['-c', ${JSON.stringify(script)}], { stdio: 'inherit' })`],
      {
        env: { ...process.env, npm_lifecycle_event: 'start' },
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    let output = '';
    npm.stdout.on('data', (data) => {
      output += data;
    });
    await eventually('it to be ready', () => /127\.0\.0\.1:\d+\/\n/.test(output));
    const state = await stateOn(Number(/127\.0\.0\.1:(\d+)\/\n/.exec(output)?.[1]));
    expect(state?.processes.length).toBe(3);
    npm.kill('SIGKILL');
    await allGone(state?.processes.map(({ pid }) => pid) ?? []);
  });

  test('a second copy takes another port; one that insists on a taken port ends with 1', async () => {
    const first = await local(['--entry', fakeService, '--instances', '1', '--no-agent']).ready();
    const second = await local(['--entry', fakeService, '--instances', '1', '--no-agent']).ready();
    expect(portOf(second.url)).not.toBe(portOf(first.url));
    const third = local(['--entry', fakeService, '--port', String(portOf(first.url))]);
    expect(await third.ended()).toBe(1);
    expect(third.output).toContain(
      `Port ${portOf(first.url)} is taken by another program. Give --port a free one`,
    );
  });

  test('an instance that dies at boot again and again ends the start, and nothing is left', async () => {
    const command = local(['--entry', fakeService, '--livekit', '0'], { FAKE_SERVICE: 'dies' });
    expect(await command.ended()).toBe(1);
    expect(command.output).toMatch(/app-\d ended before it was ready \(code 7\)/);
    expect(command.output).toContain('  | no good');
    const redis = /redis rediss:\/\/[^@]+@localhost:(\d+)/.exec(command.output);
    expect(await isRefused(Number(redis?.[1]))).toBe(true);
  });

  test('a LiveKit server that can’t be run ends the start, with the way around it', async () => {
    const command = local(['--entry', fakeService, '--instances', '1'], {
      LIVEKIT_SERVER_BIN: '/nowhere/livekit-server',
    });
    expect(await command.ended()).toBe(1);
    expect(command.output).toContain('(spawn /nowhere/livekit-server ENOENT)');
    expect(command.output).toContain('start without LiveKit: --livekit 0');
  });
});
