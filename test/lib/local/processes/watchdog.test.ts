import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { PrivateFolder, Watchdog } from '../../../../lib/local/processes/watchdog.ts';
import { eventually } from '../../../support/wait.ts';

function sleeper() {
  return spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
}

test('let go, it ends what it watches and removes what is left', async () => {
  const watchdog = new Watchdog();
  const folder = new PrivateFolder(watchdog);
  folder.write('secret', 'x');
  const child = sleeper();
  const ended = once(child, 'exit');
  watchdog.watch(child.pid as number);
  watchdog.close();
  expect((await ended)[1]).toBe('SIGTERM');
  await eventually('the folder to be gone', () => !existsSync(folder.path));
});

test('what is started when all else has ended, is ended at once', async () => {
  const watchdog = new Watchdog();
  watchdog.close();
  const child = sleeper();
  const ended = once(child, 'exit');
  watchdog.watch(child.pid as number);
  expect((await ended)[1]).toBe('SIGKILL');
});
