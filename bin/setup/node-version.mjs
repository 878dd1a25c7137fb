import { SetupFailure } from './failure.mjs';

/** The oldest Node.js that the packages run on; package.json's `engines` says the same. */
const oldest = [20, 19];

export function checkNode(version) {
  const [major, minor] = version.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new SetupFailure(
    `Node.js ${oldest.join('.')} or newer is needed, got: ${version}. Install it from https://nodejs.org or with your version manager (nvm install 22).`,
  );
}
