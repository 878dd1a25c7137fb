import { readFileSync } from 'node:fs';
import { knobsOfContext, parseConfig } from '../../../lib/config/config.ts';

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const recommended = read(require.resolve('aws-cdk-lib/recommended-feature-flags.json'));

/** Flags that differ from what the installed CDK recommends, and why. */
const ours = {
  // `weak` renders Fn::GetStackOutput, which templates read by other tools do not know.
  '@aws-cdk/core:defaultCrossStackReferences': 'strong',
};

test('cdk.json holds the recommended feature flags', () => {
  expect(read('cdk.json').context).toMatchObject({ ...recommended, ...ours });
});

test('the knobs in cdk.json hold', () => {
  expect(() => parseConfig(knobsOfContext(read('cdk.json').context))).not.toThrow();
});
