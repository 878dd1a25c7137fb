import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { environmentNames as names } from '../../../app/names.ts';
import type { BridgedChannels } from '../../../app/server/redis/acl.ts';
import { serviceVariables } from '../../../app/server/service-variables.ts';
import type { ManagedProcess } from '../processes/managed-process.ts';
import { StartError, untilReady } from '../processes/start.ts';
import type { PrivateFolder, Watchdog } from '../processes/watchdog.ts';
import { extraCaFile, extraCaVariable, makeCertificate } from './certificates.ts';
import { reportDenials } from './denials.ts';
import { prepareRedis, type RedisServer, redisUrl, runCommand } from './server.ts';
import { redisUsers } from './users.ts';

export interface RedisOptions {
  /** The server's program; undefined: there is no Redis, and no backplane. */
  readonly binary: string | undefined;
  /** What the instances inherit. */
  readonly environment: NodeJS.ProcessEnv;
  readonly watchdog: Watchdog;
  /** Takes its certificate. */
  readonly folder: PrivateFolder;
  readonly stopped: AbortSignal;
  /** Called with its process before that is started. */
  readonly onProcess: (redis: ManagedProcess) => void;
  readonly print: (line: string) => void;
}

const stopGraceMs = 2_000;
const retryMs = 25;
/** As the service's own. */
const defaultDeployment = 'realtime';

/** The topology's Redis, if it has one: as the stack makes it, with TLS and the stack's users. */
export class Redis {
  readonly #options: RedisOptions;
  #server?: RedisServer;
  #variables: Readonly<Record<string, string>> = { [names.redisUrl]: 'none' };

  constructor(options: RedisOptions) {
    this.#options = options;
  }

  /** Undefined in single-instance mode. */
  get server(): RedisServer | undefined {
    return this.#server;
  }

  /** Lets an administrator in; for whoever may read the state file. */
  get admin(): { readonly url: string; readonly caFile: string } | undefined {
    const server = this.#server;
    return server && { url: redisUrl(server, server.users.admin), caFile: server.caFile };
  }

  /** The variables that lead an instance of the service to it. */
  variables(): Readonly<Record<string, string>> {
    return this.#variables;
  }

  /** Does not wait until it answers. @throws StartError when its program can't be used */
  async start(): Promise<void> {
    const { binary, stopped, onProcess, print } = this.#options;
    if (!binary) return;
    const server = await this.#prepare(binary);
    if (stopped.aborted) throw new StartError('stopped');
    this.#server = server;
    onProcess(server.process);
    void server.process.start();
    void reportDenials(server, print, stopped);
  }

  /** Resolves once it lets the service in. @throws StartError when it does not come up */
  async ready(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    await untilReady(server.process, this.#options.stopped, async (signal) => {
      while (!(await runCommand(server, server.users.service, 'PING')).includes('+PONG')) {
        await delay(retryMs, undefined, { signal });
      }
      server.process.markReady();
    });
  }

  async stop(): Promise<void> {
    await this.#server?.process.stop(stopGraceMs);
  }

  async #prepare(binary: string): Promise<RedisServer> {
    const { environment, watchdog, folder } = this.#options;
    const deployment = environment[names.deployment] || defaultDeployment;
    const [version, certificate] = await Promise.all([
      redisVersion(binary),
      makeCertificate('Realtime Stack local Redis'),
    ]);
    const users = redisUsers({ deployment, version, bridges: bridgedChannels(environment) });
    const server = await prepareRedis(watchdog, { binary, version, users, certificate, folder });
    this.#variables = {
      [names.redisUrl]: redisUrl(server, users.service),
      [names.deployment]: deployment,
      // What is bridged may be elsewhere.
      ...(users.bridges &&
        environment[names.bridgesRedisUrl] === undefined && {
          [names.bridgesRedisUrl]: redisUrl(server, users.bridges),
        }),
      [extraCaVariable]: extraCaFile(server.ca, environment, folder),
    };
    return server;
  }
}

/** What the instances will hear, by the variables that they inherit. @throws StartError when one can't be used */
function bridgedChannels(environment: NodeJS.ProcessEnv): BridgedChannels | undefined {
  const { pythonSocketio, pythonSocketioChannel, emitter, emitterPrefix } = serviceVariables;
  const read = <T>(variable: { readonly name: string; readonly read: (text: string) => T }) => {
    const text = environment[variable.name];
    try {
      return text === undefined ? undefined : variable.read(text);
    } catch (error) {
      throw new StartError(`${variable.name} ${(error as Error).message}, got: ${text}`);
    }
  };
  const heard = read(emitter);
  if (!read(pythonSocketio) && !heard) return undefined;
  return {
    python: read(pythonSocketio) && (read(pythonSocketioChannel) ?? pythonSocketioChannel.otherwise),
    emitter: heard && {
      prefix: read(emitterPrefix) ?? emitterPrefix.otherwise,
      namespaces: heard.map(({ namespace }) => namespace),
    },
  };
}

/** Such as `Redis 7.0.15` or `Valkey 8.1.1`. */
type RedisVersion = `${'Redis' | 'Valkey'} ${string}`;

/** This version brought sharded Pub/Sub and the ACL rules that the service uses. */
const oldestMajor = 7;

/**
 * Asks the program for its version before the server runs: Redis rejects an ACL that names a command which it lacks.
 * @throws StartError when it can't be run, or is too old
 */
export async function redisVersion(binary: string): Promise<RedisVersion> {
  const text = await promisify(execFile)(binary, ['--version'], { timeout: 10_000 }).then(
    ({ stdout }) => stdout,
    (error: Error) => {
      throw new StartError(`${binary} can't be run: ${error.message}. Install it anew, or another one.`);
    },
  );
  const version = parseVersion(text);
  if (!version) {
    throw new StartError(
      `${binary} prints no version, but: "${text.trim()}". Put a valkey-server or redis-server on the PATH.`,
    );
  }
  if (Number(/\d+/.exec(version)?.[0]) < oldestMajor) {
    throw new StartError(
      `${binary} is ${version}, and the service needs ${oldestMajor}.0 or newer. Install a newer Redis, or Valkey.`,
    );
  }
  return version;
}

/** @param text as `--version` prints it: `Redis server v=7.0.15 sha=…`; Valkey 7.2 leaves its name out */
export function parseVersion(text: string): RedisVersion | undefined {
  const [, isRedis, version] = /^(Redis )?(?:Valkey )?server v=(\d+\.\S+)/im.exec(text) ?? [];
  return version === undefined ? undefined : `${isRedis ? 'Redis' : 'Valkey'} ${version}`;
}
