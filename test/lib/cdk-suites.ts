import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { skipSuite } from '../support/skipping.ts';

// The CDK would capture a stack trace for each token, which jest then maps to the sources.
process.env.CDK_DISABLE_STACK_TRACE = '1';

const tests = join(import.meta.dirname, '..');

/**
 * Of these suites, `npm run check` has those that look at the variants of the stack. The others synthesize further
 * stacks, of which some are shown to a stand-in for AWS: two thirds of the CPU of all.
 */
const isInCheck = (name: string) =>
  name.startsWith('stack/') &&
  !['stack/changes', 'stack/knobs', 'stack/rotation', 'stack/transitions'].includes(name);

/**
 * Runs suites that need the CDK in the test file that calls this. Loading it takes seconds, and each configuration is
 * synthesized once for all suites of a file: a file of its own for each suite would take four times the CPU. There are
 * two such files, so that both cores of a small machine work.
 *
 * @param part what is about the whole stack, or everything else
 */
export function runSuites(part: 'whole stack' | 'rest'): void {
  for (const folder of ['lib', 'examples'])
    for (const path of suitesIn(folder))
      if (isAboutWholeStack(path) === (part === 'whole stack')) runSuite(folder, path);
}

function runSuite(folder: string, path: string): void {
  const name = path.replace('.suite.ts', '');
  if (process.env.CHECK === 'run' && !isInCheck(name))
    skipSuite(name, '`npm test` has these suites of the CDK', () => test('all of it', () => undefined));
  else
    describe(name, () => {
      require(join(tests, folder, path));
    });
}

const suitesIn = (folder: string) =>
  readdirSync(join(tests, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.suite.ts'))
    .sort();

const isAboutWholeStack = (path: string) => path.startsWith('stack/') || path.startsWith('cost/');
