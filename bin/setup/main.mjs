import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parts } from '../../app/build/parts.mjs';
import { findLiveKit } from '../../lib/local/programs.mjs';
import { suggestion } from '../../lib/suggest.mjs';
import { ensureBuild, staleParts } from './build.mjs';
import { endOnSignals, Interrupted } from './command.mjs';
import { dependenciesDecision, ensureDependencies } from './dependencies.mjs';
import { withLock } from './lock.mjs';
import { MissingPrograms } from './missing-programs.mjs';
import { SetupFailure } from './report.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const app = join(root, 'app');
const agent = join(root, 'livekit/agent');
const local = join(root, '.local');

/** What can be asked for. The packages come with each of the others. */
const choices = ['packages', 'service', 'redis', 'chromium'];

/** `npm start` has a single-instance mode for a machine without Redis, and nobody imports the service's modules. */
const forStart = { programs: ['redis'], parts: ['server', 'page'], mayLackRedis: true };

const forTests = (wanted) => ({
  programs: ['redis', 'chromium'].filter((name) => wanted.includes(name)),
  parts: wanted.includes('service') ? parts : [],
  mayLackRedis: false,
});

/** Runs the set-up and sets the process's exit code. */
export async function main(args) {
  const choice = readArguments(args);
  if (typeof choice === 'string') {
    console.error(choice);
    process.exitCode = 2;
    return;
  }
  endOnSignals();
  try {
    await prepare(choice);
  } catch (error) {
    process.exitCode = error instanceof Interrupted ? error.exitCode : 1;
    if (!(error instanceof Interrupted)) console.error(`\n${explain(error)}\n`);
  }
}

/** @returns what is wanted, or what is wrong with the arguments */
function readArguments(args) {
  const [option, list = '', ...rest] = args;
  if (option === undefined) return forStart;
  if (option === '--browser' && args.length === 1) return forTests(choices);
  const wanted = list.split(',');
  const unknown = wanted.find((each) => !choices.includes(each));
  if (option === '--only' && unknown === undefined && rest.length === 0) return forTests(wanted);
  const hint =
    option === '--only' ? suggestion(unknown ?? '', choices) : suggestion(option, ['--browser', '--only']);
  return `The set-up can't take "${args.join(' ')}".${hint} It takes --browser, or --only with a list of ${choices.join(',')}, or nothing.`;
}

async function prepare({ programs: names, parts: wanted, mayLackRedis }) {
  const programs = new MissingPrograms(names, local);
  if (!isReady(wanted) || programs.missing.length > 0) await setUp(programs, wanted);
  programs.report({ mayLackRedis });
}

function isReady(wanted) {
  const folders = needsAgent() ? [root, app, agent] : [root, app];
  const hasPackages = folders.every((folder) => dependenciesDecision(folder) === 'nothing');
  return hasPackages && staleParts(app, wanted).length === 0;
}

/** The voice agent's packages are 300 MB: they are for machines that can run LiveKit. */
function needsAgent() {
  return findLiveKit() !== undefined && existsSync(join(agent, 'package.json'));
}

async function setUp(programs, wanted) {
  await programs.ask();
  if (isReady(wanted) && !programs.willInstall) return;
  await withLock(join(local, 'setup.lock'), async () => {
    const results = await Promise.allSettled([
      programs.install(),
      ensureDependencies(root, 'the project'),
      ensureDependencies(app, 'the service').then(() => ensureBuild(app, wanted)),
      needsAgent() ? ensureDependencies(agent, 'the voice agent') : undefined,
    ]);
    const failures = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
    if (failures.length > 0) throw joined(failures);
  });
}

/** Several may fail at once: an interruption or what nobody foresaw is thrown alone. */
function joined(failures) {
  const alone =
    failures.find((failure) => failure instanceof Interrupted) ??
    failures.find((failure) => !(failure instanceof SetupFailure));
  return alone ?? new SetupFailure(failures.map(({ message }) => message).join('\n\n'));
}

function explain(error) {
  const { code, path, message, stack } = error;
  if (error instanceof SetupFailure) return message;
  if (code === 'EROFS') return `${path} is on a read-only file system: clone the project to one that is not.`;
  if (code === 'ENOSPC') return 'The disk is full: make room and run it again.';
  if (code === 'EACCES' || code === 'EPERM') {
    return `This user may not write ${path}: take the folder over (sudo chown -R "$USER" "${root}"), or clone the project anew.`;
  }
  return stack;
}
