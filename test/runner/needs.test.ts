import { join } from 'node:path';
import { needsOf, testFiles } from './needs.mjs';

const root = join(import.meta.dirname, '..');

test.each([
  ['app/client/room/cursor.test.ts', []],
  // Over `test/support`.
  ['app/server/rooms/log/log.test.ts', ['processes', 'redis']],
  ['app/page/page.test.ts', ['processes', 'redis', 'chromium', 'service']],
  // It imports node:child_process, and no server.
  ['runner/leftovers.test.ts', ['processes']],
  // Its clients are the built ones.
  ['app/client/callbacks.test.ts', ['service']],
  // It names the program that it starts.
  ['examples/plain-socketio.test.ts', ['processes', 'redis']],
])('%s needs %p', (file, needs) => {
  expect([...needsOf(join(root, file))]).toEqual(needs);
});

test('every test file is looked at, and those of all that is pure start no process', () => {
  const files = testFiles();
  expect(files).toContain(join(root, 'runner/needs.test.ts'));
  const pure = ['app/protocol/', 'lib/config/readme', 'lib/cost/', 'lib/verify/accounting/'];
  const started = files.filter((file) => needsOf(file).has('processes'));
  for (const place of pure) {
    expect(files.some((file) => file.startsWith(join(root, place)))).toBe(true);
    expect(started.filter((file) => file.startsWith(join(root, place)))).toEqual([]);
  }
});
