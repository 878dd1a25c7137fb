import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describeWithAgent } from '../support/agent.ts';

const root = join(import.meta.dirname, '../../..');

// `npm run typecheck` leaves the agent out: its packages are not on every machine.
describeWithAgent('the types of the voice agent', () => {
  test('hold', async () => {
    const tsc = join(root, 'node_modules/.bin/tsc');
    const { stdout } = await promisify(execFile)(tsc, ['-p', 'livekit/agent/tsconfig.json'], {
      cwd: root,
    }).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });
});
