/**
 * Makes a fresh machine ready for `npm start`, and with `--browser` for `npm test`: packages, the service's build,
 * a Redis server, Chromium. What is there already is left alone, so a second run does nothing.
 * It uses what Node has built in and nothing else, for it runs before anything is installed.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuild, needsBuild } from './setup/build.mjs';
import { dependenciesDecision, ensureDependencies } from './setup/dependencies.mjs';
import { SetupFailure } from './setup/failure.mjs';
import { withLock } from './setup/lock.mjs';
import { checkNode } from './setup/node-version.mjs';
import { Programs } from './setup/programs.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const app = join(root, 'app');
const local = join(root, '.local');

async function main(args) {
  checkArguments(args);
  checkNode(process.versions.node);
  const programs = new Programs(args.includes('--browser') ? ['redis', 'chromium'] : ['redis'], local);
  if (!isReady() || programs.missing.length > 0) await setUp(programs);
  programs.report();
}

function isReady() {
  return [root, app].every((folder) => dependenciesDecision(folder) === 'nothing') && !needsBuild(app);
}

async function setUp(programs) {
  await programs.ask();
  if (isReady() && !programs.willInstall) return;
  await withLock(join(local, 'setup.lock'), async () => {
    const results = await Promise.allSettled([
      programs.install(),
      ensureDependencies(root, 'the project'),
      ensureDependencies(app, 'the service').then(() => ensureBuild(app)),
    ]);
    const failures = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
    if (failures.length > 0) throw joined(failures);
  });
}

function joined(failures) {
  const unforeseen = failures.find((failure) => !(failure instanceof SetupFailure));
  return unforeseen ?? new SetupFailure(failures.map(({ message }) => message).join('\n\n'));
}

function checkArguments(args) {
  const unknown = args.find((arg) => arg !== '--browser');
  if (unknown === undefined) return;
  throw new SetupFailure(`Unknown option "${unknown}". The set-up takes --browser, or nothing.`, {
    cause: 'usage',
  });
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`\n${error instanceof SetupFailure ? error.message : error.stack}\n`);
  process.exitCode = error.cause === 'usage' ? 2 : 1;
});
