/**
 * The versions of Node.js that the project runs on. Every command imports this file first, so its syntax is one that
 * Node.js 12 can read: an old version gets a sentence instead of a syntax error.
 */

/** @returns {string | undefined} why this version can't be used; package.json's `engines` has the same rule */
export function unsupportedNode(version) {
  const [major, minor] = version.split('.').map(Number);
  if ((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22) return undefined;
  return `This needs Node.js 20.19+, 22.12+ or 24, got: ${version}. Install Node.js 24 from https://nodejs.org or with your version manager (nvm install 24).`;
}

/** Ends the process with a sentence if this Node.js is too old. */
export function requireNode() {
  const fault = unsupportedNode(process.versions.node);
  if (fault === undefined) return;
  console.error(`\n${fault}\n`);
  process.exit(1);
}
