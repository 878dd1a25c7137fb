/**
 * Makes a fresh machine ready for `npm start`, and with `--browser` for `npm test`: packages, the service's build,
 * a Redis server, Chromium. What is there already is left alone, so a second run does nothing.
 * It uses what Node has built in and nothing else, for it runs before anything is installed.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findLiveKit } from '../lib/local/programs.mjs';
import { ensureBuild, needsBuild } from './setup/build.mjs';
import { dependenciesDecision, ensureDependencies } from './setup/dependencies.mjs';
import { SetupFailure } from './setup/failure.mjs';
import { withLock } from './setup/lock.mjs';
import { checkNode } from './setup/node-version.mjs';
import { Programs } from './setup/programs.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const app = join(root, 'app');
const agent = join(root, 'livekit/agent');
const local = join(root, '.local');

async function main(args) {
  checkArguments(args);
  checkNode(process.versions.node);
  const programs = new Programs(args.includes('--browser') ? ['redis', 'chromium'] : ['redis'], local);
  if (!isReady() || programs.missing.length > 0) await setUp(programs);
  programs.report();
}

function isReady() {
  const folders = needsAgent() ? [root, app, agent] : [root, app];
  return folders.every((folder) => dependenciesDecision(folder) === 'nothing') && !needsBuild(app);
}

/** The voice agent's packages are 300 MB: they are for machines on which it has someone to talk to. */
function needsAgent() {
  return findLiveKit() !== undefined && existsSync(join(agent, 'package.json'));
}

async function setUp(programs) {
  await programs.ask();
  if (isReady() && !programs.willInstall) return;
  await withLock(join(local, 'setup.lock'), async () => {
    const results = await Promise.allSettled([
      programs.install(),
      ensureDependencies(root, 'the project'),
      ensureDependencies(app, 'the service').then(() => ensureBuild(app)),
      needsAgent() ? ensureDependencies(agent, 'the voice agent') : undefined,
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
