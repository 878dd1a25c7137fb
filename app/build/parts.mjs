/** What `dist` has: the bundled service, its page, and the modules with their types for who imports them. */
export const parts = ['server', 'page', 'library'];

/** The parts that a folder of sources is for; all other sources are for all of them. */
const partsOfFolder = { server: ['server', 'library'], page: ['page'], client: ['page', 'library'] };
/** Also what editors write beside a file. */
const notSource = /(^|\/)(\.|#|node_modules(\/|$)|dist(\/|$)|Dockerfile$)|\.md$|~$/;

/**
 * @param {string} path of a file or a folder in `app`, relative to that
 * @returns {string[]} the parts that are made from it; none if it is no source
 */
export function partsMadeFrom(path) {
  if (notSource.test(path)) return [];
  const [folder] = path.split('/', 1);
  return partsOfFolder[folder] ?? parts;
}
