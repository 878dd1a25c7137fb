import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { stateFile, writeState } from '../../../lib/local/state.ts';
import { openBrokenService } from './checks/broken-service.ts';
import { runVerify, stateFolder } from './run-verify.ts';

let folder: ReturnType<typeof stateFolder>;
const servers: Server[] = [];

beforeEach(() => {
  folder = stateFolder();
});

afterEach(() => {
  folder.remove();
  for (const server of servers.splice(0)) server.close();
});

/** What stands for a topology: its state file, and a control that answers. */
async function pretendTopology(): Promise<string> {
  const server = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  writeState(stateFile(port, folder.path), {
    url,
    startedAt: new Date().toISOString(),
    pid: process.pid,
    control: { url, token: 'x' },
    processes: [],
  });
  return url;
}

test('with no topology it says how to start one', async () => {
  const { code, output, errors } = await runVerify([], { stateFolder: folder.path });
  expect({ code, output }).toEqual({ code: 2, output: '' });
  expect(errors).toBe(
    'No topology answers on this machine. Start one with `npm start` in another terminal (`fg` there if it is suspended), or give --url.\n',
  );
});

test('with several it lists them and asks for one', async () => {
  const urls = [await pretendTopology(), await pretendTopology()];
  const { code, errors } = await runVerify(['--json'], { stateFolder: folder.path });
  expect(code).toBe(2);
  expect(errors).toContain('2 topologies run on this machine. Give one of:');
  for (const url of urls) expect(errors).toContain(`--url ${url}`);
});

test.each([
  ['--clients', '0'],
  ['--messages', 'x'],
])('bad input ends with 2 and words on the error output: %s %s', async (option, value) => {
  const { code, output, errors } = await runVerify([option, value], { stateFolder: folder.path });
  expect({ code, output }).toEqual({ code: 2, output: '' });
  expect(errors).toContain(`got: ${value}`);
});

test.each([
  [['--json', '--clients', '0'], 'usage'],
  [['--jsn', '--json'], 'usage'],
  [['--json', 'stray'], 'usage'],
  [['--json'], 'usage'],
  [['--json', '--only', 'cache-users', '--url', 'http://verify.invalid'], 'usage'],
  [['--json', '--url', 'http://verify.invalid'], 'unreachable'],
])('with --json the standard output has JSON alone: %j', async (words, kind) => {
  const { code, output, errors } = await runVerify(words, { stateFolder: folder.path });
  expect(code).toBe(2);
  const { ok, error } = JSON.parse(output);
  expect({ ok, kind: error.kind, message: `${error.message}\n` }).toEqual({
    ok: false,
    kind,
    message: errors,
  });
});

test('--help lists the options and the exit codes, and ends with 0', async () => {
  const { code, output } = await runVerify(['--help'], { stateFolder: folder.path });
  expect(code).toBe(0);
  for (const option of ['--url', '--instances', '--clients', '--messages', '--timeout', '--only', '--json']) {
    expect(output).toContain(option);
  }
  expect(output).toMatch(/Exit code:\n {2}0 .*\n.*\n {2}1 .*\n {2}2 /);
  const asJson = await runVerify(['--help', '--json'], { stateFolder: folder.path });
  expect(JSON.parse(asJson.output)).toEqual({ ok: true, help: output });
});

test('Ctrl-C before the first check, and in the middle, still prints one JSON object', async () => {
  const { url, close } = await openBrokenService({ isOpen: true });
  const words = ['--json', '--url', url];
  const early = await runVerify(words, {
    stateFolder: folder.path,
    signal: AbortSignal.abort(new Error('SIGINT')),
  });
  expect(early.code).toBe(130);
  expect(JSON.parse(early.output)).toEqual({ ok: false, interrupted: true });
  const interrupted = new AbortController();
  const running = runVerify(words, {
    stateFolder: folder.path,
    signal: interrupted.signal,
    onErrors: (text) => text.includes('instances') && interrupted.abort(new Error('SIGINT')),
  });
  const { code, output } = await running;
  await close();
  expect(code).toBe(130);
  expect(JSON.parse(output)).toMatchObject({ ok: false, interrupted: true, checks: [{ name: 'instances' }] });
});

test('a URL where nothing listens ends the command itself with 2', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const entry = join(import.meta.dirname, '../../../bin/verify.ts');
  const ended = await new Promise<{ code: unknown; output: string; errors: string }>((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', entry, '--url', url, '--json'],
      (error, output, errors) => {
        resolve({ code: error?.code, output, errors });
      },
    );
  });
  expect(ended.code).toBe(2);
  expect(ended.errors).toContain(`${url} can't be reached: connect ECONNREFUSED`);
  expect(ended.errors).toContain('`npm start` starts one on this machine');
  expect(JSON.parse(ended.output)).toMatchObject({ ok: false, error: { kind: 'unreachable' } });
});
