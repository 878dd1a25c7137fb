/**
 * Runs a TypeScript program of the project: `node bin/run.mjs bin/verify.ts [arguments]`. An old Node.js, or packages
 * that are not installed, end it with a sentence. Its syntax is one that Node.js 12 can read.
 */
import { requireNode } from './node-version.mjs';

requireNode();
const program = process.argv[2];
// The program finds its arguments where it would if Node.js had started it by itself.
process.argv.splice(1, 2, program);

import('tsx')
  .then(() => import(new URL(`../${program}`, import.meta.url)))
  .catch((error) => {
    const [, name] = /^Cannot find package '([^']+)'/.exec(error.message) || [];
    if (name === undefined) throw error;
    console.error(
      `\nThe package ${name} is not installed. Run \`npm run setup\`, which installs all of them.\n`,
    );
    process.exit(1);
  });
