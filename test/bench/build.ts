import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const repository = join(import.meta.dirname, '../..');
/** Of what the bench compiles and writes. */
export const outputFolder = join(repository, 'node_modules/.cache/realtime-bench');

/**
 * Compiles every process that is measured, and every one that loads it, with the compiler that builds the
 * service. All variants then run as the same kind of plain JavaScript: a loader that transpiles on the fly
 * adds helpers to each closure, and the one with the most closures would pay the most.
 */
export function buildProcesses(): void {
  rmSync(outputFolder, { recursive: true, force: true });
  mkdirSync(join(outputFolder, 'app'), { recursive: true });
  writeFileSync(join(outputFolder, 'package.json'), '{ "type": "module" }\n');
  // Our service finds the packages of its own lockfile.
  symlinkSync(join(repository, 'app/node_modules'), join(outputFolder, 'app/node_modules'));
  const server = 'app/server';
  for (const file of readdirSync(join(repository, server), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.lua')) cpSync(join(repository, server, file), join(outputFolder, server, file));
  }
  const compiler = join(repository, 'node_modules/.bin/tsc');
  execFileSync(compiler, ['-p', join(import.meta.dirname, 'tsconfig.json')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** @param entry under this folder, without its ending: `servers/floor` */
export function builtEntry(entry: string): string {
  return join(outputFolder, 'test/bench', `${entry}.js`);
}
