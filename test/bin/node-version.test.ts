import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unsupportedNode } from '../../bin/node-version.mjs';

const root = join(import.meta.dirname, '../..');

test.each(['20.19.0', '20.20.2', '22.12.0', '22.23.3', '24.0.0', '25.1.0'])(
  'Node.js %s is supported',
  (version) => {
    expect(unsupportedNode(version)).toBeUndefined();
  },
);

test.each(['16.20.2', '18.20.8', '20.18.9', '21.7.0', '22.11.0'])('Node.js %s is not', (version) => {
  expect(unsupportedNode(version)).toContain(`got: ${version}. Install Node.js 24`);
});

const scripts = readJson('package.json').scripts as Record<string, string>;
/** What npm runs first. */
const firstOf = (name: string) => scripts[`pre${name}`] ?? scripts[name];
const entries = ['bin/run.mjs', 'bin/setup.mjs', 'bin/cdk-cli.mjs'];

test.each(Object.keys(scripts))('`npm run %s` begins with a file that checks the version', (name) => {
  // The set-up makes `cdk` lead to bin/cdk-cli.mjs.
  expect(firstOf(name)).toMatch(/^(node bin\/(run|setup)\.mjs|cdk)\b/);
});

test('so does the CDK app', () => {
  expect(readJson('cdk.json').app).toMatch(/^node bin\/run\.mjs\b/);
});

test.each(entries)(
  '%s answers an old Node.js with one sentence, before it imports what that lacks',
  (entry) => {
    const [first] =
      readFileSync(join(root, entry), 'utf8')
        .match(/^import .*(?=')/gm)
        ?.slice(-1) ?? [];
    expect(first).toContain('./node-version.mjs');
    const old =
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '16.20.2' } });";
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(old)}`, entry, 'bin/cost.ts'],
      { cwd: root, encoding: 'utf8' },
    );
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr: `\n${unsupportedNode('16.20.2')}\n\n`,
    });
  },
);

test('before the set-up a command says what to run', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(withoutPackages)}`, 'bin/run.mjs', 'bin/cost.ts'],
    { cwd: root, encoding: 'utf8' },
  );
  expect(status).toBe(1);
  expect(stderr).toBe(
    '\nThe package tsx is not installed. Run `npm run setup`, which installs all of them.\n\n',
  );
});

/** A loader that finds no package, as in a fresh clone. */
const withoutPackages = `
import { register } from 'node:module';
const resolve = \`export function resolve(name, context, next) {
  return /^[a-z]/.test(name) && !name.includes(':') ? next(name, { ...context, parentURL: 'file:///nowhere/x.mjs' }) : next(name, context);
}\`;
register('data:text/javascript,' + encodeURIComponent(resolve));`;

function readJson(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(root, name), 'utf8'));
}
