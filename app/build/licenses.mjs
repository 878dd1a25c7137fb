import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

/** The licenses of the packages that were bundled, as text: those ask to be kept with every copy. */
export function licensesOf(moduleIds) {
  const folders = new Set(moduleIds.map(folderOf).filter((folder) => folder !== undefined));
  const packages = [...folders].map(describe);
  const texts = new Map(packages.map((each) => [`${each.name} ${each.version}`, each.text]));
  return [...texts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .join('\n');
}

function folderOf(id) {
  const modules = `${sep}node_modules${sep}`;
  const at = id.lastIndexOf(modules);
  if (at < 0) return undefined;
  const start = at + modules.length;
  const [first, second] = id.slice(start).split(sep);
  return id.slice(0, start) + (first.startsWith('@') ? join(first, second) : first);
}

function describe(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return {
    name,
    version,
    text: `${'='.repeat(80)}\n${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`,
  };
}
