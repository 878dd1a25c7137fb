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
  maxWorkers: 2,
  testTimeout: 60_000,
};
