import { execFile, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { skipSuite } from '../support/skipping.ts';
import type { ImageSource } from './template.ts';

const run = promisify(execFile);

const isAskedFor = process.env.CONTAINERS === 'run';

/** No other run looks for an engine: that takes each file half a second of a processor. */
const answers = (command: string, ...words: readonly string[]) =>
  isAskedFor && spawnSync(command, words).status === 0;

/** Docker, podman, or what stands in for one of them: the first that answers. */
const engine = [process.env.CONTAINER_ENGINE, 'docker', 'podman'].find(
  (command) => command !== undefined && answers(command, 'info'),
);

const moto = process.env.MOTO_SERVER ?? 'moto_server';

/** The server that stands in for SSM and Secrets Manager. */
export const motoServer = moto;

/** A suite that runs containers, if this run is for that and the machine has what it takes. */
export function describeWithContainers(title: string, suite: () => void): void {
  const lacking = lack();
  if (lacking) skipSuite(title, lacking, suite);
  else describe(title, suite);
}

function lackOfEngine(): string | undefined {
  if (!isAskedFor) return '`npm run test:containers` runs them';
  return engine
    ? undefined
    : 'no container engine: install Docker or podman, or name one in CONTAINER_ENGINE';
}

function lack(): string | undefined {
  const lacking = lackOfEngine();
  if (lacking) return lacking;
  if (spawnSync(moto, ['--help']).status !== 0)
    return "no moto_server: `pip install 'moto[server]'`, or name it in MOTO_SERVER";
  return undefined;
}

/** What runs a file of Compose: named by `CONTAINER_COMPOSE`, with its options, or the engine's own, or podman's. */
const compose = [process.env.CONTAINER_COMPOSE, `${engine} compose`, 'podman-compose']
  .map((command) => command?.split(' ') ?? [])
  .find(([command, ...words]) => command && answers(command, ...words, 'version'));

/** A suite that runs containers of its own, and needs no stand-in for AWS. */
export function describeWithEngine(title: string, suite: () => void): void {
  const lacking = lackOfEngine();
  if (lacking) skipSuite(title, lacking, suite);
  else describe(title, suite);
}

/** A suite that runs a file of Compose, if this run is for that and the machine has what it takes. */
export function describeWithCompose(title: string, suite: () => void): void {
  const lacking = lackOfEngine() ?? (compose ? undefined : lackOfCompose);
  if (lacking) skipSuite(title, lacking, suite);
  else describe(title, suite);
}

const lackOfCompose =
  'no Compose: install Docker with it or `pip install podman-compose`, or name it in CONTAINER_COMPOSE';

/** @param environment besides this process's own  @throws Error with what it says */
export async function composeCommand(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const [command = '', ...options] = compose ?? [];
  const { stdout } = await run(command, [...options, ...words], {
    env: { ...process.env, ...environment },
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error) => {
    throw new Error(`compose ${words.join(' ')}: ${String(error.stderr).trim()}`);
  });
  return stdout.trim();
}

/** podman gives a container with a read-only root folders that it may write, and ECS gives none. */
const isPodman = engine !== undefined && /podman/.test(spawnSync(engine, ['--version']).stdout.toString());
export const readOnlyFlags = isPodman ? ['--read-only', '--read-only-tmpfs=false'] : ['--read-only'];

/** @throws Error with what the engine says, and not with the command, whose variables are secrets */
export async function engineCommand(...words: readonly string[]): Promise<string> {
  const { stdout } = await run(engine as string, [...words], { maxBuffer: 64 * 1024 * 1024 }).catch(
    (error) => {
      throw new Error(`${words[0]}: ${String(error.stderr).trim()}`);
    },
  );
  return stdout.trim();
}

/** What this machine's builds need besides, such as a volume with the certificate of its proxy. */
const buildFlags = process.env.CONTAINER_BUILD_FLAGS?.split(' ') ?? [];

export async function buildImage(
  tag: string,
  folder: string,
  { dockerfile = 'Dockerfile', buildArgs = {} }: Partial<Omit<ImageSource, 'folder'>> = {},
): Promise<void> {
  const given = Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  await engineCommand('build', ...buildFlags, ...given, '-t', tag, '-f', join(folder, dockerfile), folder);
}

/** An image with one more label than another. */
export async function deriveImage(tag: string, from: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-image-'));
  writeFileSync(join(folder, 'Dockerfile'), `FROM ${from}\nLABEL revision=${randomUUID()}\n`);
  await buildImage(tag, folder).finally(() => rmSync(folder, { recursive: true }));
}

/** What a container has written so far, on both outputs. */
export async function logsOf(container: string): Promise<string> {
  const { stdout, stderr } = await run(engine as string, ['logs', container], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout + stderr;
}

/** The exit code of a command in a container. */
export async function exitCodeIn(container: string, command: readonly string[]): Promise<number> {
  return run(engine as string, ['exec', container, ...command]).then(
    () => 0,
    (error) => (typeof error.code === 'number' ? error.code : Number.NaN),
  );
}
