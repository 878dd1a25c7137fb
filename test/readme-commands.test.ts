import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../lib/local/processes/ports.ts';
import { eventually } from './support/wait.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

interface Command {
  readonly process: ReturnType<typeof spawn>;
  output(): string;
  ended(): Promise<number | null>;
}

/** As a person types it; in a process group of its own, so that nothing outlives the test. */
function run(command: string): Command {
  const child = spawn('sh', ['-c', `exec ${command}`], { cwd: root, detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const exited = once(child, 'close');
  return { process: child, output: () => output, ended: async () => (await exited)[0] };
}

test.each(['npm start', 'npm test', 'npm run verify'])('the README names `%s`', (command) => {
  expect(readme).toContain(command);
});

test('npm start brings the topology up, npm run verify proves it, SIGTERM ends all of it', async () => {
  const port = await freePort();
  const start = run(`npm start -- --port ${port}`);
  try {
    await eventually('the first message', () => {
      if (start.process.exitCode !== null) throw new Error(start.output());
      return start.output().includes('smoke test passed: a message went across instances');
    });
    const page = await fetch(`http://127.0.0.1:${port}/`);
    expect(await page.text()).toContain('<title>Realtime Stack</title>');
    // test/lib/verify runs all checks.
    const verify = run(`npm run verify -- --url http://127.0.0.1:${port} --only delivery,killed-instance`);
    const code = await verify.ended();
    expect({ code, output: verify.output() }).toMatchObject({
      code: 0,
      output: expect.stringMatching(/2 checks: 2 passed, 0 failed, 0 not proved/),
    });
  } finally {
    start.process.kill('SIGTERM');
    await start.ended();
  }
  await eventually('the port to be free again', () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => false,
      () => true,
    ),
  );
});
