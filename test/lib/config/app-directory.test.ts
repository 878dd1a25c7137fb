import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

test('the image is built from every file that the service shares with what starts it', () => {
  const sent = readFileSync('app/.dockerignore', 'utf8').split('\n');
  const shared = readdirSync('app').filter((file) => file.endsWith('.ts'));
  expect(shared).toContain('names.ts');
  expect(shared.filter((file) => !sent.includes(`!${file}`))).toEqual([]);
});
