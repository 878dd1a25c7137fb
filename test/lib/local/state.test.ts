import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlServer } from '../../../lib/local/control/server.ts';
import { liveTopologies, stateFile, type TopologyState, writeState } from '../../../lib/local/state.ts';

let folder: string;
let control: ControlServer;
let controlUrl: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'realtime-state-'));
  control = new ControlServer([{ method: 'GET', path: /^\/state$/, run: () => ({}) }]);
  controlUrl = await control.listen();
});

afterEach(() => {
  control.close();
  rmSync(folder, { recursive: true, force: true });
});

function state(port: number, changes: Partial<TopologyState> = {}): TopologyState {
  const url = `http://127.0.0.1:${port}`;
  const startedAt = new Date(port).toISOString();
  return {
    url,
    startedAt,
    pid: process.pid,
    control: { url: controlUrl, token: control.token },
    processes: [],
    ...changes,
  };
}

function save(port: number, changes?: Partial<TopologyState>): TopologyState {
  const saved = state(port, changes);
  writeState(stateFile(port, folder), saved);
  return saved;
}

test('what runs is listed, the youngest first', async () => {
  const old = save(8080);
  const young = save(8081);
  expect(await liveTopologies(folder)).toEqual([young, old]);
});

test('the file is for its owner’s eyes', () => {
  save(8080);
  expect(statSync(stateFile(8080, folder)).mode & 0o777).toBe(0o600);
});

test('a file whose process is dead is ignored and removed', async () => {
  save(8080, { pid: spawnSync(process.execPath, ['-e', '']).pid });
  expect(await liveTopologies(folder)).toEqual([]);
  expect(existsSync(stateFile(8080, folder))).toBe(false);
});

test('a file whose process id another program has by now is ignored', async () => {
  save(8080, { control: { url: controlUrl, token: 'of another life' } });
  save(8081, { control: { url: 'http://127.0.0.1:1', token: 'x' } });
  expect(await liveTopologies(folder)).toEqual([]);
});

test('what is no state file is ignored', async () => {
  writeFileSync(stateFile(8080, folder), '{"half');
  writeFileSync(stateFile(8081, folder), 'null');
  writeFileSync(join(folder, 'topology-x.json'), '{}');
  expect(await liveTopologies(folder)).toEqual([]);
  expect(await liveTopologies(join(folder, 'absent'))).toEqual([]);
});
