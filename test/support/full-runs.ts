import { skipSuite } from './skipping.ts';

/** Runs of what costs much, with the variable that each one's script in package.json sets to `full`. */
const variables = {
  faults: 'FAULTS',
  page: 'PAGE',
  signalr: 'SIGNALR',
  stack: 'STACK',
  tools: 'TOOLS',
  topology: 'TOPOLOGY',
} as const;

export type FullRun = keyof typeof variables;

export function isFull(run: FullRun): boolean {
  return process.env[variables[run]] === 'full';
}

/** More tests of a kind of which `npm test` has one. It names them as skipped. */
export function describeInFull(run: FullRun, title: string, suite: () => void): void {
  if (isFull(run)) describe(title, suite);
  else skipSuite(title, `\`npm run test:${run}\` has them`, suite);
}
