import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const repository = join(import.meta.dirname, '../..');
/** Of what the bench compiles and writes. */
export const outputFolder = join(repository, 'node_modules/.cache/realtime-bench');

/**
 * Compiles every process that is measured, and every one that loads it, with the compiler that builds the
 * service. All variants then run as the same kind of plain JavaScript: a loader that transpiles on the fly
 * adds helpers to each closure, and the one with the most closures would pay the most.
 *
 * @param before a commit whose service is measured as well. @default none
 * @throws Error when there is no such commit
 */
export function buildProcesses(before?: string): void {
  rmSync(outputFolder, { recursive: true, force: true });
  compile(repository, outputFolder);
  if (before === undefined) return;
  // Not in a folder of packages, whose files the compiler takes for compiled.
  const source = mkdtempSync(join(tmpdir(), 'realtime-before-'));
  git('worktree', 'add', '--quiet', '--detach', source, before);
  // Its own packages would take minutes: a commit with other versions is measured with those of now.
  for (const folder of ['', 'app'])
    symlinkSync(join(repository, folder, 'node_modules'), join(source, folder, 'node_modules'));
  compile(source, join(outputFolder, folderBefore));
  git('worktree', 'remove', '--force', source);
}

function compile(source: string, output: string): void {
  mkdirSync(join(output, 'app'), { recursive: true });
  writeFileSync(join(output, 'package.json'), '{ "type": "module" }\n');
  // Our service finds the packages of its own lockfile.
  symlinkSync(join(repository, 'app/node_modules'), join(output, 'app/node_modules'));
  const server = 'app/server';
  for (const file of readdirSync(join(source, server), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.lua')) cpSync(join(source, server, file), join(output, server, file));
  }
  const compiler = join(repository, 'node_modules/.bin/tsc');
  const options = ['-p', join(source, 'test/bench/tsconfig.json'), '--outDir', output];
  execFileSync(compiler, [...options, '--tsBuildInfoFile', join(output, 'tsconfig.tsbuildinfo')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

function git(...args: readonly string[]): void {
  execFileSync('git', args, { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'] });
}

const folderBefore = 'before';

/** The entry of the same name as it was in the commit before. */
export function entryBefore(entry: string): string {
  return `../../${folderBefore}/test/bench/${entry}`;
}

/** @param entry under this folder, without its ending: `servers/floor` */
export function builtEntry(entry: string): string {
  return join(outputFolder, 'test/bench', `${entry}.js`);
}
