/** @type {import('jest').Config} */
export default {
  testEnvironment: '<rootDir>/test/runner/environment.ts',
  globalSetup: '<rootDir>/test/runner/global-setup.ts',
  testSequencer: '<rootDir>/test/runner/sequencer.mjs',
  reporters: ['default', '<rootDir>/test/runner/skipped-reporter.mjs'],
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '^.+\\.(tsx?|mjs|js)$': '@swc/jest' },
  // zod loads fifty languages, in each test file again. Nothing here asks for any but English.
  moduleNameMapper: { '^../locales/index.cjs$': '<rootDir>/node_modules/zod/v4/locales/en.cjs' },
  // ES modules alone, which jest on Node 20 can't require.
  transformIgnorePatterns: ['/node_modules/(?!(httpxy|jose)/)'],
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  setupFiles: ['<rootDir>/test/setup.ts'],
  // More than twice the cores of a small machine: most of the time is spent waiting for processes. Four take 40 s longer there.
  maxWorkers: 5,
  // It bounds a test that hangs, behind the bound of a single wait in it.
  testTimeout: 180_000,
};
