import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { paths } from '../../app/names.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { eventually } from '../support/wait.ts';
import { buildImage, composeCommand, engineCommand } from './engine.ts';

const root = join(import.meta.dirname, '../..');
const serversImage = 'localhost/realtime-test-debian-servers';

/** Debian's nginx, Caddy and Redis in one image. */
export async function debianServers(): Promise<string> {
  await buildImage(serversImage, join(import.meta.dirname, 'debian-servers'));
  return serversImage;
}

/** The service's image, built once a run, or named by `REALTIME_IMAGE_APP`. */
export function serviceImage(): Promise<string> {
  image ??= process.env.REALTIME_IMAGE_APP ? Promise.resolve(process.env.REALTIME_IMAGE_APP) : build();
  return image;
}

let image: Promise<string> | undefined;

async function build(): Promise<string> {
  const tag = 'localhost/realtime-test-hosts-app';
  await buildImage(tag, join(root, 'app'));
  return tag;
}

/** What this machine's engine needs besides, of `CONTAINER_FLAGS`: `--ulimit nproc=4000:4000`. */
const limits = [...(process.env.CONTAINER_FLAGS ?? '').matchAll(/--ulimit (\w+)=(\d+):(\d+)/g)];

/** `app/compose.yaml`, run as the README says. */
export class ComposeProject {
  readonly url: string;
  readonly #name = `realtime-${randomBytes(4).toString('hex')}`;
  readonly #folder = mkdtempSync(join(tmpdir(), 'realtime-compose-'));
  readonly #environment: Record<string, string>;

  private constructor(port: number, environment: Record<string, string>) {
    this.url = `http://127.0.0.1:${port}`;
    this.#environment = { HTTP_PORT: String(port), LIVEKIT_URL: `ws://127.0.0.1:${port}`, ...environment };
  }

  static async start(settings: Record<string, string>): Promise<ComposeProject> {
    const [port, securePort] = [await freePort(), await freePort()];
    const liveKit = process.env.REALTIME_IMAGE_LIVEKIT;
    const isDebian = process.env.REALTIME_IMAGES === 'debian';
    const servers = isDebian ? await debianServers() : undefined;
    const project = new ComposeProject(port, {
      HTTPS_PORT: String(securePort),
      APP_IMAGE: await serviceImage(),
      ...(liveKit ? { LIVEKIT_IMAGE: liveKit } : {}),
      ...(servers ? { VALKEY_IMAGE: servers, CADDY_IMAGE: servers } : {}),
      ...settings,
    });
    writeFileSync(project.#limitsFile, JSON.stringify({ services: limitsOf() }));
    await project.up();
    return project;
  }

  /** Starts what does not run. @param instances how many there are to be  */
  async up(instances = 3): Promise<void> {
    await this.#compose('up', '-d', '--no-build', '--no-recreate', '--scale', `app=${instances}`);
    await eventually(`${instances} instances to be ready`, async () => {
      const names = await this.instances();
      const ready = await Promise.all(names.map((name) => this.#isReady(name)));
      return ready.filter(Boolean).length === instances && (await fetch(this.url + paths.ready)).ok;
    });
  }

  /** Names of the containers of the instances that run. */
  async instances(): Promise<readonly string[]> {
    return (await this.containers()).filter((name) => /[-_]app[-_]\d+$/.test(name));
  }

  /** Names of all containers that run. */
  async containers(): Promise<readonly string[]> {
    const listed = await engineCommand('ps', '--filter', `name=${this.#name}`, '--format', '{{.Names}}');
    return listed.split('\n').filter(Boolean).sort();
  }

  /** The container of a service that is not scaled. */
  async containerOf(service: string): Promise<string> {
    const found = (await this.containers()).find((name) => name.includes(service));
    if (!found) throw new Error(`no container of ${service} runs`);
    return found;
  }

  /** With the time that the file gives. It stays, stopped: podman's Compose ties the proxy to the first one. */
  async stop(instance: string): Promise<void> {
    await engineCommand('stop', '-t', '30', instance);
  }

  /** The variables that the instances read from their volume of secrets. */
  async secrets(): Promise<Record<string, string>> {
    const [instance = ''] = await this.instances();
    const text = await engineCommand('exec', instance, 'cat', '/secrets/service.env');
    return Object.fromEntries([...text.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));
  }

  /** A command of Redis, by the service's own user. @returns its reply */
  async redis<T>(...command: readonly string[]): Promise<T> {
    const { REDIS_URL = '' } = await this.secrets();
    const { username, password } = new URL(REDIS_URL);
    const login = ['--no-auth-warning', '--user', username, '--pass', password, '--json'];
    const valkey = await this.containerOf('valkey');
    return JSON.parse(await engineCommand('exec', valkey, 'valkey-cli', ...login, ...command));
  }

  async remove(): Promise<void> {
    // Compose forgets the instances beyond the number in its file.
    await this.#removeAll('container', ['ls', '-aq'], ['rm', '-f', '-v']);
    await this.#removeAll('network', ['ls', '-q'], ['rm']);
    await this.#removeAll('volume', ['ls', '-q'], ['rm', '-f']);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** podman keeps containers on which others depend: each pass removes those on which none does any more. */
  async #removeAll(kind: string, list: readonly string[], remove: readonly string[]): Promise<void> {
    const ofProject = ['--filter', `label=com.docker.compose.project=${this.#name}`];
    await eventually(`every ${kind} to be removed`, async () => {
      const ids = (await engineCommand(kind, ...list, ...ofProject)).split('\n').filter(Boolean);
      for (const id of ids) await engineCommand(kind, ...remove, id).catch(() => undefined);
      return ids.length === 0;
    });
  }

  async #isReady(name: string): Promise<boolean> {
    const ask = `fetch('http://127.0.0.1:3000${paths.ready}').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;
    return engineCommand('exec', name, 'node', '-e', ask).then(
      () => true,
      () => false,
    );
  }

  get #limitsFile(): string {
    return join(this.#folder, 'limits.yaml');
  }

  async #compose(...words: readonly string[]): Promise<void> {
    const files = [join(root, 'app/compose.yaml'), this.#limitsFile];
    const options = ['-p', this.#name, ...files.flatMap((file) => ['-f', file]), '--profile', 'calls'];
    await composeCommand([...options, ...words], this.#environment);
  }
}

function limitsOf() {
  const ulimits = Object.fromEntries(
    limits.map(([, name, soft, hard]) => [name, { soft: Number(soft), hard: Number(hard) }]),
  );
  const services = ['secrets', 'valkey', 'app', 'proxy', 'livekit-1', 'livekit-2'];
  return Object.fromEntries(services.map((service) => [service, { ulimits }]));
}
