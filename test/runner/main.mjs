/**
 * `npm test`: lint, types and all tests; or, with arguments of jest's, those tests alone.
 * `npm run check`: lint, types and the tests that start no process, without those of them that take most
 * (test/lib/cdk-suites.ts).
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { run } from 'jest';

const [first, ...others] = process.argv.slice(2);
const isCheck = first === '--without-processes';
const args = isCheck
  ? ['--filter', join(import.meta.dirname, 'without-processes.cjs'), ...others]
  : process.argv.slice(2);

if (isCheck) process.env.CHECK = 'run';
// As jest's own command does, and the CDK looks at it.
process.env.NODE_ENV ??= 'test';
if (first === undefined || isCheck) void endUnlessClean(['lint', 'typecheck']);
await run(['--ci', ...args]);

/** Beside the tests, which leave the processors time; what does not pass ends them. */
async function endUnlessClean(scripts) {
  const results = await Promise.all(scripts.map(runScript));
  if (results.every((isClean) => isClean)) return;
  console.error('\nThe tests were stopped: mend this first.');
  process.exit(1);
}

/** @returns whether it passed; what it says is held back until it ends */
function runScript(name) {
  const start = performance.now();
  const child = spawn('npm', ['run', '--silent', name], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const seconds = ((performance.now() - start) / 1_000).toFixed(1);
      if (code === 0) console.log(`${name}: passed in ${seconds} s`);
      else console.error(`\n${name}: failed in ${seconds} s\n${output}`);
      resolve(code === 0);
    });
  });
}
