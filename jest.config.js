/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '^.+\\.(tsx?|mjs|js)$': '@swc/jest' },
  // ES modules alone, which jest on Node 20 can't require.
  transformIgnorePatterns: ['/node_modules/(?!(httpxy|jose)/)'],
  setupFiles: ['<rootDir>/test/setup.ts'],
  setupFilesAfterEnv: ['aws-cdk-lib/testhelpers/jest-autoclean'],
  // One more than the cores of a small machine: most of the time is spent waiting for processes.
  maxWorkers: 3,
  testTimeout: 60_000,
};
