import { setTimeout as delay } from 'node:timers/promises';
import { environmentNames as names } from '../../../app/names.ts';
import { type BridgedChannels, bridgedChannels } from '../../../app/server/redis/acl.ts';
import { bridgeVariables } from '../../../app/server/service-variables.ts';
import { EnvironmentError, readVariables } from '../../../app/server/variables.ts';
import type { ManagedProcess } from '../processes/managed-process.ts';
import { StartError, untilReady } from '../processes/start.ts';
import type { PrivateFolder, Watchdog } from '../processes/watchdog.ts';
import { extraCaFile, extraCaVariable, makeCertificate } from './certificates.ts';
import type { RedisCluster } from './cluster.ts';
import { reportDenials } from './denials.ts';
import {
  prepareRedis,
  type RedisAccess,
  type RedisServer,
  redisUrl,
  runCommand,
  writeAccess,
} from './server.ts';
import { type RedisUser, type RedisUsers, redisUsers, replicationUser } from './users.ts';
import { redisVersion } from './version.ts';

export interface RedisOptions {
  /** The server's program; undefined: there is no Redis, and no backplane. */
  readonly binary: string | undefined;
  /** How many primaries share the rooms; one is a server alone, without cluster mode. */
  readonly shards: number;
  /** Whether media servers need one. */
  readonly hasLiveKit: boolean;
  /** What the instances inherit. */
  readonly environment: NodeJS.ProcessEnv;
  readonly watchdog: Watchdog;
  /** Takes its certificate. */
  readonly folder: PrivateFolder;
  readonly stopped: AbortSignal;
  /** Called with each of its processes before that is started. */
  readonly onProcess: (redis: ManagedProcess) => void;
  readonly print: (line: string) => void;
}

/** How somebody gets into one of its servers. */
export interface RedisLogin {
  readonly port: number;
  readonly user: RedisUser;
  readonly caFile: string;
}

const stopGraceMs = 2_000;
const retryMs = 25;
/** As the service's own. */
const defaultDeployment = 'realtime';

/** What was found out before anything is started. */
interface Preparation {
  readonly binary: string;
  readonly users: RedisUsers;
  readonly access: Omit<RedisAccess, 'users'>;
}

/**
 * The topology's Redis, if it has one: as the stack makes it, with TLS and the stack's users. With shards it is a cluster,
 * and LiveKit has a server of its own beside it, since its store crosses slots.
 */
export class Redis {
  readonly #options: RedisOptions;
  #version = '';
  #access?: Omit<RedisAccess, 'users'>;
  #users?: RedisUsers;
  /** Of the service, of LiveKit, or of both. */
  #server?: RedisServer;
  #cluster?: RedisCluster;
  #variables: Readonly<Record<string, string>> = { [names.redisUrl]: 'none' };

  constructor(options: RedisOptions) {
    this.#options = options;
  }

  /** Whether instances share anything; else it is single-instance mode. */
  get isThere(): boolean {
    return this.serviceProcesses().length > 0;
  }

  /** Such as `Redis 7.0.15`. */
  get version(): string {
    return this.#version;
  }

  /** Undefined where one server has all rooms. */
  get cluster(): RedisCluster | undefined {
    return this.#cluster;
  }

  /** An administrator's way in. With shards it is one node's, which knows the others. */
  get admin(): (RedisLogin & Pick<RedisAccess, 'adminPasswordFile'>) | undefined {
    const port = this.#cluster?.nodes[0]?.port ?? this.#server?.port;
    return port === undefined || !this.#access
      ? undefined
      : { ...this.#access, port, user: this.#access.admin };
  }

  /** LiveKit's way in, and an administrator's to what it keeps. */
  get liveKit(): { readonly own: RedisLogin; readonly admin: RedisLogin } | undefined {
    const { port } = this.#server ?? {};
    if (port === undefined || !this.#users || !this.#access) return undefined;
    const { caFile, admin } = this.#access;
    return { own: { port, caFile, user: this.#users.liveKit }, admin: { port, caFile, user: admin } };
  }

  /** Of what the instances share. */
  serviceProcesses(): ManagedProcess[] {
    return this.#cluster?.processes() ?? (this.#server ? [this.#server.process] : []);
  }

  /** All, with LiveKit's own. */
  processes(): ManagedProcess[] {
    const own = this.#cluster && this.#server ? [this.#server.process] : [];
    return [...this.serviceProcesses(), ...own];
  }

  /** Says what the death of one of its processes means. */
  lossOf({ id }: ManagedProcess): string {
    const isNode = this.#cluster?.nodes.some((node) => node.id === id);
    return isNode
      ? `${id} stores nothing on disk: it waits until another node of its shard is the primary, and follows that one`
      : 'redis stores nothing on disk: its data is gone';
  }

  /** The variables that lead an instance of the service to it. */
  variables(): Readonly<Record<string, string>> {
    return this.#variables;
  }

  /** Of one server it does not wait until it answers; a cluster is joined. @throws StartError when it can't be */
  async start(): Promise<void> {
    const { binary, stopped, print } = this.#options;
    if (!binary) return;
    const prepared = await this.#prepare(binary);
    if (this.#options.shards > 1) await this.#prepareShards(prepared);
    else await this.#prepareOne(prepared);
    if (stopped.aborted) throw new StartError('stopped');
    for (const each of this.processes()) this.#options.onProcess(each);
    void this.#server?.process.start();
    void reportDenials(this.#servers(), print, stopped);
    await this.#cluster?.start(stopped);
  }

  /** Resolves once it lets its users in. @throws StartError when it does not come up */
  async ready(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const user = server.access.users[0] as RedisUser;
    await untilReady(server.process, this.#options.stopped, async (signal) => {
      while (!(await runCommand(server, user, 'PING')).includes('+PONG')) {
        await delay(retryMs, undefined, { signal });
      }
      server.process.markReady();
    });
  }

  /** Starts again what the instances share, after its processes were stopped; resolves when it lets the service in. */
  async startAgain(): Promise<void> {
    if (this.#cluster) return this.#cluster.startAgain(this.#options.stopped);
    await this.#server?.process.startAgain();
    await this.ready();
  }

  /** Resolves when what the instances share answers, and a cluster's nodes are all there. */
  async serves(): Promise<void> {
    await (this.#cluster ? this.#cluster.untilReady() : this.ready());
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes().map((each) => each.stop(stopGraceMs)));
    this.#cluster?.close();
  }

  #servers() {
    const { admin } = this;
    const nodes = (this.#cluster?.nodes ?? []).flatMap(({ port, access }) =>
      access ? [{ port, access }] : [],
    );
    return admin && this.#server ? [...nodes, this.#server] : nodes;
  }

  async #prepare(binary: string): Promise<Preparation> {
    const { environment, folder } = this.#options;
    const deployment = environment[names.deployment] || defaultDeployment;
    const [version, certificate] = await Promise.all([
      redisVersion(binary),
      makeCertificate('Realtime Stack local Redis'),
    ]);
    const users = redisUsers({ deployment, version, bridges: channelsIn(environment) });
    const access = writeAccess(folder, certificate, users.admin);
    this.#version = version;
    this.#users = users;
    this.#access = access;
    this.#variables = {
      [names.deployment]: deployment,
      [extraCaVariable]: extraCaFile(access.ca, environment, folder),
    };
    return { binary, users, access };
  }

  async #prepareOne({ binary, users, access }: Preparation): Promise<void> {
    const { watchdog } = this.#options;
    const shared = { ...access, users: [users.service, ...withBridges(users), users.liveKit, users.admin] };
    const server = await prepareRedis(watchdog, { binary, access: shared });
    this.#server = server;
    this.#lead(users, (user) => redisUrl(server, user));
  }

  async #prepareShards({ binary, users, access }: Preparation): Promise<void> {
    const { watchdog, folder, shards, hasLiveKit, print } = this.#options;
    // Only who asks for shards needs to load what it takes.
    const { RedisCluster } = await import('./cluster.ts');
    const replication = replicationUser();
    const ofNodes = [users.service, ...withBridges(users), users.admin, replication];
    const shared = { ...access, replication, users: ofNodes };
    const cluster = await RedisCluster.prepare({ binary, shards, access: shared, watchdog, folder, print });
    this.#cluster = cluster;
    this.#lead(users, (user) => clusterSetting(cluster, user));
    if (!hasLiveKit) return;
    const own = { ...access, users: [users.liveKit, users.admin] };
    this.#server = await prepareRedis(watchdog, { id: 'redis-livekit', binary, access: own });
  }

  #lead(users: RedisUsers, settingOf: (user: RedisUser) => string): void {
    this.#variables = {
      ...this.#variables,
      [names.redisUrl]: settingOf(users.service),
      // What is bridged may be elsewhere.
      ...(users.bridges &&
        this.#options.environment[names.bridgesRedisUrl] === undefined && {
          [names.bridgesRedisUrl]: settingOf(users.bridges),
        }),
    };
  }
}

function withBridges({ bridges }: RedisUsers): RedisUser[] {
  return bridges ? [bridges] : [];
}

/** All nodes, in StackExchange's shape: whoever starts while one is away asks another. */
function clusterSetting({ nodes }: RedisCluster, { name, password }: RedisUser): string {
  const hosts = nodes.map(({ port }) => `localhost:${port}`);
  return `${hosts.join(',')},user=${name},password=${password},ssl=true`;
}

/** What the instances will hear, by the variables that they inherit. @throws StartError when one can't be used */
function channelsIn(environment: NodeJS.ProcessEnv): BridgedChannels | undefined {
  try {
    return bridgedChannels(readVariables(bridgeVariables, [], environment));
  } catch (error) {
    throw error instanceof EnvironmentError ? new StartError(error.message) : error;
  }
}
