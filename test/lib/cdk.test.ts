import { readdirSync } from 'node:fs';
import { join } from 'node:path';

// The CDK would capture a stack trace for each token, which jest then maps to the sources.
process.env.CDK_DISABLE_STACK_TRACE = '1';

// All tests that need the CDK run in this file. Loading it takes seconds, and each configuration is synthesized once:
// a file of its own for each suite would take four times the CPU.
// One of them: `npx jest test/lib/cdk -t 'stack/alarms'`.
for (const folder of ['lib', 'examples']) {
  const root = join(import.meta.dirname, '..', folder);
  const suites = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.suite.ts'),
  );
  for (const path of suites.sort())
    describe(path.replace('.suite.ts', ''), () => {
      require(join(root, path));
    });
}
