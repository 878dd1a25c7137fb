import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** One import. */
export interface Arrow {
  readonly from: string;
  /** A file of this repository, or the name of a package. */
  readonly to: string;
  readonly isPackage: boolean;
  readonly isType: boolean;
}

const statement = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const dynamic = /\bimport\('([^']+)'\)/g;

export function arrowsOf(file: string): Arrow[] {
  const text = readFileSync(file, 'utf8');
  const arrow = (target: string, isType: boolean): Arrow => {
    const isPackage = !target.startsWith('.');
    const to = isPackage ? target : normalize(join(dirname(file), target));
    return { from: file, to, isPackage, isType };
  };
  return [
    ...[...text.matchAll(statement)].map(([, type, target]) => arrow(target as string, type !== undefined)),
    ...[...text.matchAll(dynamic)].map(([, target]) => arrow(target as string, false)),
  ];
}

/** Sources, without what is built or installed. */
export const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(tsx?|mjs)$/.test(path) && !/(^|\/)(node_modules|dist)\//.test(path))
    .map((path) => join(folder, path));

/** A table in CONTRIBUTING: a folder, or a file, and what it may import. */
export class FolderMap {
  readonly places: readonly string[];
  readonly #allowed: ReadonlyMap<string, readonly string[]>;

  /** @param prefix of the rows that are meant @param home what stands before the names in the last column */
  constructor(prefix: RegExp, home = '') {
    const rows = readFileSync('CONTRIBUTING.md', 'utf8').matchAll(/^\| `([\w./-]+)` \| .+ \| (.+) \|$/gm);
    const ours = [...rows].filter(([, place]) => prefix.test(place as string));
    this.#allowed = new Map(
      ours.map(([, place, allowed]) => [
        place as string,
        [...(allowed as string).matchAll(/`([\w./*-]+)`/g)].map(([, name]) => home + name),
      ]),
    );
    this.places = [...this.#allowed.keys()];
  }

  /** The place of a file in the table; elsewhere, the folder at the root, or a file of `lib` itself. */
  placeOf(file: string): string {
    if (this.#allowed.has(file) || dirname(file) === 'lib') return file;
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder))
      if (this.#allowed.has(folder)) return folder;
    return file.split('/')[0] as string;
  }

  /** What a place imports and its row does not allow. */
  outside(place: string, arrows: readonly Arrow[]): Arrow[] {
    const allowed = this.#allowed.get(place) ?? [];
    return this.#from(place, arrows).filter(
      ({ to }) => this.placeOf(to) !== place && !allowed.some((pattern) => this.#fits(to, pattern)),
    );
  }

  /** What a row allows and its place does not import. */
  unused(place: string, arrows: readonly Arrow[]): string[] {
    const used = this.#from(place, arrows);
    return (this.#allowed.get(place) ?? []).filter(
      (pattern) => !used.some(({ to }) => this.#fits(to, pattern)),
    );
  }

  /** Places that import each other, directly or through others. A folder's own files lie above and below its folders. */
  cyclic(arrows: readonly Arrow[]): string[] {
    const next = (place: string) => [
      ...new Set(
        this.#from(place, arrows)
          .map(({ to }) => this.placeOf(to))
          .filter((target) => !isWithin(target, place) && !isWithin(place, target)),
      ),
    ];
    return inCircles(this.places, next);
  }

  /** A row allows places of the table, all below one (`place/*`), or what has no row: a file, or all of a folder. */
  #fits(file: string, pattern: string): boolean {
    if (pattern.endsWith('/*')) return this.placeOf(file).startsWith(pattern.slice(0, -1));
    return this.placeOf(file) === pattern || (!this.#allowed.has(pattern) && isWithin(file, pattern));
  }

  #from(place: string, arrows: readonly Arrow[]): Arrow[] {
    return arrows.filter(({ from, isPackage }) => !isPackage && this.placeOf(from) === place);
  }
}

const isWithin = (place: string, folder: string) => place === folder || place.startsWith(`${folder}/`);

/** Those that lead back to themselves, directly or through others. */
export function inCircles(names: readonly string[], next: (name: string) => readonly string[]): string[] {
  const reachable = (name: string, seen = new Set<string>()): Set<string> => {
    for (const target of next(name)) if (!seen.has(target)) reachable(target, seen.add(target));
    return seen;
  };
  return names.filter((name) => reachable(name).has(name));
}

/** Files that import each other, directly or through others, types included. */
export function cyclicFiles(arrows: readonly Arrow[]): string[] {
  const imported = new Map<string, string[]>();
  for (const { from, to, isPackage } of arrows)
    if (!isPackage) imported.set(from, [...(imported.get(from) ?? []), to]);
  return inCircles([...imported.keys()], (file) => imported.get(file) ?? []);
}

/** The tests that hold a map, whatever it is of. @param arrows of all files in its places */
export function testMap(map: FolderMap, arrows: readonly Arrow[]): void {
  test.each(map.places)('%s imports only what its row allows', (place) => {
    expect(map.outside(place, arrows)).toEqual([]);
  });

  test.each(map.places)('%s uses everything that its row allows', (place) => {
    expect(map.unused(place, arrows)).toEqual([]);
  });

  test('no two places import each other, directly or through others', () => {
    expect(map.cyclic(arrows)).toEqual([]);
  });
}
