import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultDrainSeconds } from './arguments.ts';
import type { TopologyStatus } from './control/client.ts';
import { Operations } from './control/operations.ts';
import { RedisFaultInjection } from './control/redis-fault-injection.ts';
import { operationRoutes, PageRoutes, removalRoute } from './control/routes.ts';
import { ControlServer } from './control/server.ts';
import { ShardOperations } from './control/shard-operations.ts';
import { TopologyDescription } from './description.ts';
import { LiveKit } from './livekit/livekit.ts';
import { liveKitRule } from './livekit/nodes.ts';
import { agentReady } from './livekit/voice-agent.ts';
import { Instances } from './processes/instances.ts';
import { renderLine } from './processes/log-lines.ts';
import type { ManagedProcess } from './processes/managed-process.ts';
import { firstFree } from './processes/ports.ts';
import { cannotListen, noEntry, StartError, untilReady } from './processes/start.ts';
import { PrivateFolder, Watchdog } from './processes/watchdog.ts';
import { LoadBalancer } from './proxy/load-balancer.ts';
import type { DeadTargets } from './proxy/targets.ts';
import { Redis } from './redis/redis.ts';
import { loadClient, smokeTest } from './smoke-test.ts';
import { type ProcessState, stateFolder } from './state.ts';
import type { SourceWatch } from './watch/source-watch.ts';

export interface TopologyOptions {
  /** Instances of the service. Without Redis it is always one. */
  readonly instances: number;
  /** The load balancer's port, which must be free. @default 8080, or the next free one */
  readonly port?: number;
  /** Program of the Redis server; undefined for single-instance mode. */
  readonly redisBinary: string | undefined;
  /** Primaries that share the rooms. @default 1: one server, without cluster mode */
  readonly shards?: number;
  /** LiveKit's program, how many nodes of it run, and whether a voice agent does. @default none: there are no calls */
  readonly liveKit?: { readonly binary: string; readonly nodes: number; readonly agent: boolean } | undefined;
  /** The load balancer sets no cookies, and gives each request to any instance. @default false */
  readonly roundRobin?: boolean;
  /** What the load balancer does with an instance that died. @default 'skip' */
  readonly dead?: DeadTargets;
  /** The service's entry. @default app/dist/server/main.js */
  readonly entry?: string;
  /** Seconds over which an instance that leaves sends its clients elsewhere. @default 2 */
  readonly drainSeconds?: number;
  /** Show every line that the processes log. @default false */
  readonly verbose?: boolean;
  /** What the instances inherit, with their secrets. */
  readonly environment: NodeJS.ProcessEnv;
  /** The folder of the state file. @default .local in the project's root */
  readonly folder?: string;
  /** Called with each line that is to be shown. */
  readonly print: (line: string) => void;
}

const defaultPort = 8080;
const app = fileURLToPath(new URL('../../app', import.meta.url));
const defaultEntry = join(app, 'dist/server/main.js');
/** The load balancer waits so much longer than a drain takes, in milliseconds; on AWS it is 30 s. */
const afterDrainMs = 1_000;

/** Redis, the service's instances and a load balancer in front of them, with one control. */
export class Topology {
  readonly #options: TopologyOptions;
  readonly #entry: string;
  readonly #watchdog = new Watchdog();
  readonly #folder = new PrivateFolder(this.#watchdog);
  readonly #balancer: LoadBalancer;
  readonly #instances: Instances;
  readonly #liveKit: LiveKit | undefined;
  readonly #redis: Redis;
  readonly #redisFaults: RedisFaultInjection;
  readonly #control: ControlServer;
  readonly #pageRoutes: PageRoutes;
  readonly #operations: Operations;
  readonly #stopped = new AbortController();
  readonly #description: TopologyDescription;
  #watch?: SourceWatch;
  #port = 0;

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.#entry = options.entry ?? defaultEntry;
    const { print, drainSeconds = defaultDrainSeconds, environment, liveKit } = options;
    this.#balancer = new LoadBalancer({
      ownRoutes: (request, response) => this.#pageRoutes.serve(request, response),
      rules: liveKit ? [liveKitRule] : [],
      sticky: options.roundRobin !== true,
      dead: options.dead,
    });
    const watched = {
      watchdog: this.#watchdog,
      onProcess: (managed: ManagedProcess) => this.#follow(managed),
    };
    const balanced = { ...watched, environment, balancer: this.#balancer };
    this.#redis = new Redis({
      binary: options.redisBinary,
      shards: options.shards ?? 1,
      hasLiveKit: liveKit !== undefined,
      environment,
      folder: this.#folder,
      stopped: this.#stopped.signal,
      print,
      ...watched,
    });
    this.#redisFaults = new RedisFaultInjection(this.#redis, print);
    this.#instances = new Instances({
      entry: this.#entry,
      variables: () => ({ ...this.#redis.variables(), ...this.#liveKit?.variables() }),
      drainSeconds,
      ...balanced,
    });
    this.#liveKit =
      liveKit &&
      new LiveKit({ ...liveKit, redis: () => this.#redis.liveKit?.own, port: () => this.#port, ...balanced });
    this.#operations = this.#createOperations(drainSeconds * 1_000 + afterDrainMs);
    const shared = operationRoutes(this.#operations);
    this.#control = new ControlServer([
      { method: 'GET', path: /^\/state$/, run: () => this.#description.status() },
      removalRoute(this.#operations),
      ...shared,
    ]);
    this.#pageRoutes = new PageRoutes(
      [{ method: 'GET', path: /^\/state$/, run: () => this.#description.publicStatus() }, ...shared],
      () => this.#port,
    );
    this.#description = new TopologyDescription({
      port: () => this.#port,
      folder: options.folder ?? stateFolder,
      redis: this.#redis,
      redisFaults: this.#redisFaults,
      instances: this.#instances,
      liveKit: this.#liveKit,
      balancer: this.#balancer,
      control: this.#control,
    });
  }

  get url(): string {
    return this.#description.url;
  }

  /** The load balancer's port. */
  get port(): number {
    return this.#port;
  }

  get isStopping(): boolean {
    return this.#stopped.signal.aborted;
  }

  get redis(): Redis {
    return this.#redis;
  }

  /** Resolves when every process is ready and the control answers; rejects with a StartError. */
  async start(): Promise<void> {
    if (!existsSync(this.#entry)) throw new StartError(noEntry(this.#entry, this.#entry === defaultEntry));
    await this.#listen();
    await this.#redis.start();
    if (this.#stopped.signal.aborted) throw new StartError('stopped');
    const count = this.#redis.isThere ? this.#options.instances : 1;
    const instances = Array.from({ length: count }, () => this.#instances.add());
    loadClient().catch(() => {}); // smokeTest() reports what is wrong with it.
    await Promise.all([
      this.#redis.ready().then(() => this.#startLiveKit()),
      ...instances.map((instance) => this.#healthy(instance)),
    ]);
    if (this.#stopped.signal.aborted) throw new StartError('stopped');
    this.#description.controlUrl = await this.#control.listen();
    this.#watchdog.removeLater(this.#description.file);
    this.#saveState();
  }

  /** Sends a message from one instance to another; through the load balancer, if there is one instance only. */
  smokeTest(): Promise<void> {
    const [first, second] = this.#instances.all().map(({ port }) => `http://127.0.0.1:${port}`);
    return first && second ? smokeTest(first, second) : smokeTest(this.url, this.url);
  }

  /**
   * Starts the voice agent, if there is one. It is the last one to start, since its boot takes seconds of CPU.
   * @returns its name once it is registered; undefined if there is none
   * @throws StartError when it can't be started
   */
  async startAgent(): Promise<string | undefined> {
    const agent = this.#liveKit?.startAgent();
    if (!agent) return undefined;
    await untilReady(agent, this.#stopped.signal, (signal) => agentReady(agent, signal));
    return agent.id;
  }

  /** From now on each saved change of the service or its page is built and rolled out. */
  async watch(): Promise<void> {
    // Only who watches needs to load what it takes.
    const { SourceWatch } = await import('./watch/source-watch.ts');
    this.#watch = new SourceWatch({
      app,
      watchdog: this.#watchdog,
      rollOut: (...rollOut) => this.#operations.rollOut(...rollOut),
      entriesInUse: () => this.#instances.entriesInUse(),
      print: this.#options.print,
    });
    await this.#watch.start();
  }

  /** Ends every process, after the clients' connections. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#watch?.close();
    this.#control.close();
    await this.#balancer.close();
    await Promise.all([this.#instances.stop(), this.#liveKit?.stop()]);
    await this.#redis.stop();
    this.#cleanUp();
  }

  /** Kills every process. */
  kill(): void {
    this.#stopped.abort();
    void this.#watch?.close();
    for (const managed of this.#description.managed()) void managed.stop(0);
    this.#cleanUp();
  }

  processes(): ProcessState[] {
    return this.#description.processes();
  }

  status(): TopologyStatus {
    return this.#description.status();
  }

  #createOperations(deregistrationDelayMs: number): Operations {
    return new Operations({
      instances: this.#instances,
      liveKit: this.#liveKit,
      redisFaults: this.#redisFaults,
      shards: new ShardOperations(this.#redis, this.#options.print),
      hasRedis: () => this.#redis.isThere,
      healthy: (target, signal) => this.#healthy(target, signal),
      statusOf: (id) => this.#description.statusOf(id),
      onChange: () => this.#saveState(),
      print: this.#options.print,
      url: () => this.url,
      stopped: this.#stopped.signal,
      deregistrationDelayMs,
    });
  }

  async #listen(): Promise<void> {
    const listen = (port: number) => this.#balancer.listen(port);
    const { port } = this.#options;
    try {
      this.#port = port === undefined ? await firstFree(defaultPort, listen) : await listen(port);
    } catch (error) {
      throw new StartError(cannotListen(port ?? defaultPort, error as NodeJS.ErrnoException));
    }
  }

  /** The nodes start after Redis, since a node ends that finds none at its start. */
  async #startLiveKit(): Promise<void> {
    if (!this.#liveKit || this.#stopped.signal.aborted) return;
    await Promise.all(this.#liveKit.nodes.start().map((node) => this.#healthy(node)));
  }

  /** Resolves once the load balancer sends requests to this process. */
  #healthy(target: ManagedProcess, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const stopped = [this.#stopped.signal, ...signals].filter((signal) => signal !== undefined);
    return untilReady(
      target,
      AbortSignal.any(stopped),
      (signal) =>
        new Promise((resolve) => {
          const off = this.#balancer.onHealth(
            (id, health) => id === target.id && health === 'healthy' && resolve(),
          );
          signal.addEventListener('abort', off, { once: true });
        }),
    );
  }

  /** Prints what a process logs, and that it ended. */
  #follow(managed: ManagedProcess): void {
    const { print, verbose = false } = this.#options;
    managed.on('line', (text, stream) => {
      const line = renderLine(managed, text, stream, verbose);
      // The agent complains while everything that it needs is ended.
      const isFarewell = managed.kind === 'agent' && this.#stopped.signal.aborted;
      if (line !== undefined && !isFarewell) print(line);
    });
    managed.on('started', () => this.#saveState());
    managed.on('died', ({ reason, pid, restartInMs }) => {
      if (restartInMs === undefined) return;
      print(
        `${managed.id} (pid ${pid ?? 'none'}) ended: ${reason}; it is started again in ${restartInMs} ms`,
      );
      if (managed.kind === 'redis') print(this.#redis.lossOf(managed));
      this.#saveState();
    });
  }

  #saveState(): void {
    if (!this.#stopped.signal.aborted) this.#description.save();
  }

  #cleanUp(): void {
    this.#folder.remove();
    this.#description.remove();
    this.#watchdog.close();
  }
}
