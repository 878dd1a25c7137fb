/**
 * Ends the process with a sentence where Node.js is too old for the service, and for its build. It lies in the built
 * service too, and has a syntax that Node.js 12 can read. `engines` of package.json has the same version.
 */
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `\nThe service needs Node.js 20.19 or newer, got: ${process.versions.node}. Install Node.js 24 from https://nodejs.org or with your version manager (nvm install 24).\n`,
  );
  process.exit(1);
}
