import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { stateFile, writeState } from '../../../lib/local/state.ts';
import { freePort } from '../../support/ports.ts';
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
    parts: [],
  });
  return url;
}

test('with no topology it says how to start one', async () => {
  const { code, output, errors } = await runVerify([], { stateFolder: folder.path });
  expect({ code, output }).toEqual({ code: 2, output: '' });
  expect(errors).toBe(
    'No topology runs on this machine. Start one with `npm start` in another terminal, or give --url.\n',
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
  ['0', 'clients'],
  ['x', 'messages'],
])('bad input %s ends with 2 and words on the error output', async (value, option) => {
  const { code, output, errors } = await runVerify([`--${option}`, value], { stateFolder: folder.path });
  expect({ code, output }).toEqual({ code: 2, output: '' });
  expect(errors).toContain(`got: ${value}`);
});

test('--help tells the options and ends with 0', async () => {
  const { code, output } = await runVerify(['--help'], { stateFolder: folder.path });
  expect(code).toBe(0);
  for (const option of ['--url', '--instances', '--clients', '--messages', '--timeout', '--only', '--json']) {
    expect(output).toContain(option);
  }
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
  expect(ended).toMatchObject({ code: 2, output: '' });
  expect(ended.errors).toContain(`${url} can't be reached: connect ECONNREFUSED`);
  expect(ended.errors).toContain('`npm start` starts one on this machine');
});
