import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findAppDirectory } from '../../../lib/config/app-directory.ts';

const repository = resolve('.');

test('the service is found from the sources and from a build of them', () => {
  expect(findAppDirectory()).toBe(join(repository, 'app'));
  expect(findAppDirectory(join(repository, 'dist', 'lib', 'config'))).toBe(join(repository, 'app'));
});

test('outside the repository the fault is named', () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'));
  // A folder called app is not enough.
  mkdirSync(join(elsewhere, 'app'));
  expect(() => findAppDirectory(elsewhere)).toThrow(
    '`app/Dockerfile` must stand in a folder above the stack',
  );
  rmSync(elsewhere, { recursive: true });
});
