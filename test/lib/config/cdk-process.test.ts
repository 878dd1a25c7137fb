import { spawnSync } from 'node:child_process';

test('a configuration that is not valid ends `cdk synth` with its faults, and without a stack trace', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bin/cdk.ts'], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      CDK_VALIDATION: 'false',
      CDK_CONTEXT_JSON: JSON.stringify({ backplane: 'serverless', minTasks: 0.5 }),
    },
  });
  expect(status).toBe(1);
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toEqual([
    'The configuration is not valid:',
    expect.stringMatching(/^- `backplane` must be .+Serverless evicts keys/),
    expect.stringMatching(/^- `minTasks` must be a whole number/),
  ]);
});
