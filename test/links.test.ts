import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
/** What is installed, built or kept by tools. */
const foreign = new Set(['node_modules', 'dist', 'cdk.out', 'coverage', '.git', '.local']);

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !foreign.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesIn(path) : [relative(root, path)];
    });
}

/** A page's text, without blocks of code: a comment in one looks like a heading. */
const proseOf = (page: string) => readFileSync(join(root, page), 'utf8').replaceAll(/^```.*?^```/gms, '');

/** What GitHub makes of headings: of those with the same words, the second one ends with `-1`. */
function fragmentsOf(page: string): Set<string> {
  const fragments = new Set<string>();
  for (const [, heading = ''] of proseOf(page).matchAll(/^#+ +(.+?) *$/gm)) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const plain = words.replaceAll(/[^\p{L}\p{N}_\- ]/gu, '').replaceAll(' ', '-');
    let fragment = plain;
    for (let n = 1; fragments.has(fragment); n += 1) fragment = `${plain}-${n}`;
    fragments.add(fragment);
  }
  return fragments;
}

/** The links of a page to this repository. */
const linksOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link as string)
    .filter((link) => !/^[a-z]+:/.test(link));

function leadsNowhere(page: string, link: string): boolean {
  const [path = '', fragment] = link.split('#');
  const target = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(root, target))) return true;
  return fragment !== undefined && target.endsWith('.md') && !fragmentsOf(target).has(fragment);
}

const files = filesIn(root);
const pages = files.filter((path) => path.endsWith('.md'));

test('the pages are found, and their links', () => {
  expect(pages).toEqual(
    expect.arrayContaining(['README.md', 'docs/moving/README.md', '.github/iam/README.md']),
  );
  expect(pages.flatMap(linksOf).length).toBeGreaterThan(50);
});

test.each(pages)('every link of %s leads to a file, and to a heading of it', (page) => {
  expect(linksOf(page).filter((link) => leadsNowhere(page, link))).toEqual([]);
});

test.each(pages)('every file and folder that %s names by its whole path is there', (page) => {
  const named = [...proseOf(page).matchAll(/`((?:app|bin|docs|lib|livekit|test)\/[\w./-]+)`/g)];
  const paths = named.map(([, path]) => path as string);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

/** The CHANGELOG names what is gone. */
test.each(pages.filter((page) => page !== 'CHANGELOG.md'))(
  'every source that %s names in short is there',
  (page) => {
    const named = [...proseOf(page).matchAll(/`([\w./-]+\.(?:ts|tsx|mjs|lua))`/g)].map(
      ([, path]) => path as string,
    );
    expect(named.filter((path) => !files.some((file) => `/${file}`.endsWith(`/${path}`)))).toEqual([]);
  },
);
