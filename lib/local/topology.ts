import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Access, accessOf } from './access.ts';
import { defaultDrainSeconds } from './arguments.ts';
import { Calls } from './calls.ts';
import { Control } from './control.ts';
import type { PartStatus, TopologyStatus } from './control-client.ts';
import { operationRoutes, removalRoute } from './control-routes.ts';
import { firstMessage, loadClient } from './first-message.ts';
import { Guard } from './guard.ts';
import { Instances } from './instances.ts';
import { liveKitRule } from './livekit-nodes.ts';
import { renderLine } from './log-lines.ts';
import { PageRoutes } from './page-routes.ts';
import type { Part } from './part.ts';
import { firstFree } from './ports.ts';
import { PrivateFolder } from './private-folder.ts';
import { LoadBalancer } from './proxy/load-balancer.ts';
import { Redis } from './redis.ts';
import type { RedisServer } from './redis-server.ts';
import { settled } from './settled.ts';
import { cannotListen, noEntry, StartError } from './start-error.ts';
import {
  type PartState,
  removeState,
  stateFile,
  stateFolder,
  type TopologyState,
  writeState,
} from './state.ts';
import { TopologyOperations } from './topology-operations.ts';
import { agentReady } from './voice-agent.ts';

export interface TopologyOptions {
  /** Instances of the service. With no Redis it is one, whatever is asked for. */
  readonly instances: number;
  /** The load balancer's port, which must be free. @default 8080, or the next free one */
  readonly port?: number;
  /** Program of the Redis server; undefined for single-instance mode. */
  readonly redisBinary: string | undefined;
  /** LiveKit's program, how many nodes of it run, and whether a voice agent does. @default none: there are no calls */
  readonly liveKit?: { readonly binary: string; readonly nodes: number; readonly agent: boolean } | undefined;
  /** The service's entry. @default app/dist/server/main.js */
  readonly entry?: string;
  /** Seconds over which an instance that leaves sends its clients elsewhere. @default 2 */
  readonly drainSeconds?: number;
  /** Show every line that the parts log. @default false */
  readonly verbose?: boolean;
  /** What the instances inherit, secrets of theirs too. */
  readonly environment: NodeJS.ProcessEnv;
  /** Where the state file goes. @default .local in the project's root */
  readonly folder?: string;
  /** Takes each line that is to be shown. */
  readonly print: (line: string) => void;
}

const defaultPort = 8080;
const defaultEntry = fileURLToPath(new URL('../../app/dist/server/main.js', import.meta.url));
/** The load balancer waits so much longer than a drain takes, in milliseconds; on AWS it is 30 s. */
const afterDrainMs = 1_000;

/** Redis, the service's instances and a load balancer in front, with one control. */
export class Topology {
  readonly #options: TopologyOptions;
  readonly #entry: string;
  readonly #startedAt = new Date();
  readonly #guard = new Guard();
  readonly #folder = new PrivateFolder(this.#guard);
  readonly #balancer: LoadBalancer;
  readonly #instances: Instances;
  readonly #calls: Calls | undefined;
  readonly #access: Access;
  readonly #redis: Redis;
  readonly #control: Control;
  readonly #pageRoutes: PageRoutes;
  readonly #stopped = new AbortController();
  #port = 0;
  #controlUrl?: string;

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.#entry = options.entry ?? defaultEntry;
    this.#access = accessOf(options.environment);
    const { print, drainSeconds = defaultDrainSeconds, environment, liveKit } = options;
    this.#balancer = new LoadBalancer({
      ownRoutes: (request, response) => this.#pageRoutes.answer(request, response),
      rules: liveKit ? [liveKitRule] : [],
    });
    const watched = { guard: this.#guard, onPart: (part: Part) => this.#attend(part) };
    const balanced = { ...watched, balancer: this.#balancer };
    this.#redis = new Redis({
      binary: options.redisBinary,
      environment,
      folder: this.#folder,
      stopped: this.#stopped.signal,
      print,
      ...watched,
    });
    this.#instances = new Instances({
      entry: this.#entry,
      variables: () => ({ ...this.#redis.variables(), ...this.#calls?.variables() }),
      environment,
      access: this.#access,
      drainSeconds,
      ...balanced,
    });
    this.#calls =
      liveKit &&
      new Calls({
        ...liveKit,
        environment,
        redis: () => this.#redis.server,
        port: () => this.#port,
        ...balanced,
      });
    const operations = this.#operations(drainSeconds * 1_000 + afterDrainMs);
    const shared = operationRoutes(operations);
    this.#control = new Control([
      { method: 'GET', path: /^\/state$/, answer: () => this.status() },
      removalRoute(operations),
      ...shared,
    ]);
    this.#pageRoutes = new PageRoutes(
      [{ method: 'GET', path: /^\/state$/, answer: () => this.#publicStatus() }, ...shared],
      () => this.#port,
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The load balancer's port. */
  get port(): number {
    return this.#port;
  }

  get isStopping(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** Its Redis server; undefined in single-instance mode. */
  get redis(): RedisServer | undefined {
    return this.#redis.server;
  }

  /** Resolves when every part is ready and the control answers; rejects with a StartError. */
  async start(): Promise<void> {
    if (!existsSync(this.#entry)) throw new StartError(noEntry(this.#entry, this.#entry === defaultEntry));
    await this.#listen();
    await this.#redis.start();
    if (this.#stopped.signal.aborted) throw new StartError('stopped');
    const count = this.redis ? this.#options.instances : 1;
    const parts = Array.from({ length: count }, () => this.#instances.add());
    loadClient().catch(() => {}); // firstMessage() reports what is wrong with it.
    await Promise.all([
      this.#redis.ready().then(() => this.#startLiveKit()),
      ...parts.map((part) => this.#healthy(part)),
    ]);
    if (this.#stopped.signal.aborted) throw new StartError('stopped');
    this.#controlUrl = await this.#control.listen();
    this.#guard.removeLater(this.#stateFile);
    this.#saveState();
  }

  /** Sends a message from one instance to another, or through the load balancer where there is one alone. */
  firstMessage(): Promise<void> {
    const [first, second] = this.#instances.all().map(({ port }) => `http://127.0.0.1:${port}`);
    return first && second ? firstMessage(first, second) : firstMessage(this.url, this.url);
  }

  /**
   * Starts the voice agent, if there is one. It comes last, for its boot takes seconds of a processor.
   * @returns its name once it is registered; undefined: there is none
   * @throws StartError when it can't be started
   */
  async startAgent(): Promise<string | undefined> {
    const part = this.#calls?.startAgent();
    if (!part) return undefined;
    await settled(part, this.#stopped.signal, (signal) => agentReady(part, signal));
    return part.id;
  }

  /** Ends every part, the clients' connections first. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#control.close();
    await this.#balancer.close();
    await Promise.all([this.#instances.stop(), this.#calls?.stop()]);
    await this.#redis.stop();
    this.#folder.remove();
    if (this.#controlUrl) removeState(this.#stateFile);
    this.#guard.close();
  }

  /** Ends every part at once. */
  kill(): void {
    this.#stopped.abort();
    for (const part of this.#parts()) void part.stop(0);
    this.#folder.remove();
    if (this.#controlUrl) removeState(this.#stateFile);
    this.#guard.close();
  }

  parts(): PartState[] {
    const proxy: PartState = { id: 'proxy', kind: 'proxy', pid: process.pid, port: this.#port };
    return [
      proxy,
      ...this.#parts().map(({ id, kind, pid, port, adminPort }) => ({
        id,
        kind,
        pid,
        port,
        ...(adminPort === undefined ? {} : { adminPort }),
      })),
    ];
  }

  status(): TopologyStatus {
    const targets = new Map(this.#balancer.status().map((target) => [target.id, target]));
    const parts = this.parts().map((part): PartStatus => {
      const target = targets.get(part.id);
      if (part.kind === 'redis' && this.#redis.power.isStalled) return { ...part, stalled: true };
      return target ? { ...part, health: target.health, connections: target.connections } : part;
    });
    return { ...this.#state(), parts };
  }

  /** Without what is secret: the page reads it, and whatever else runs on this machine. */
  #publicStatus(): Pick<TopologyStatus, 'url' | 'startedAt' | 'parts'> {
    const { url, startedAt, parts } = this.status();
    return { url, startedAt, parts };
  }

  #operations(deregistrationDelayMs: number): TopologyOperations {
    return new TopologyOperations({
      instances: this.#instances,
      calls: this.#calls,
      redis: this.#redis.power,
      hasRedis: () => this.redis !== undefined,
      healthy: (part) => this.#healthy(part),
      statusOf: (id) => this.#statusOf(id),
      onChange: () => this.#saveState(),
      print: this.#options.print,
      url: () => this.url,
      serviceToken: this.#access.serviceToken,
      stopped: this.#stopped.signal,
      deregistrationDelayMs,
    });
  }

  get #stateFile(): string {
    return stateFile(this.#port, this.#options.folder ?? stateFolder);
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

  /** A node that finds no Redis at its start ends, so it comes after. */
  async #startLiveKit(): Promise<void> {
    if (!this.#calls || this.#stopped.signal.aborted) return;
    await Promise.all(this.#calls.nodes.start().map((part) => this.#healthy(part)));
  }

  /** Resolves once the load balancer sends this part requests. */
  #healthy(part: Part): Promise<void> {
    return settled(
      part,
      this.#stopped.signal,
      (signal) =>
        new Promise((resolve) => {
          const off = this.#balancer.onHealth(
            (id, health) => id === part.id && health === 'healthy' && resolve(),
          );
          signal.addEventListener('abort', off, { once: true });
        }),
    );
  }

  /** Reports what becomes of a part. */
  #attend(part: Part): void {
    const { print, verbose = false } = this.#options;
    part.on('line', (text, stream) => {
      const line = renderLine(part, text, stream, verbose);
      // The agent complains while all that it needs is ended.
      const isFarewell = part.kind === 'agent' && this.#stopped.signal.aborted;
      if (line !== undefined && !isFarewell) print(line);
    });
    part.on('started', () => this.#saveState());
    part.on('died', ({ reason, pid, restartInMs }) => {
      if (restartInMs === undefined) return;
      print(`${part.id} (pid ${pid ?? 'none'}) ended: ${reason}; it is started again in ${restartInMs} ms`);
      if (part.kind === 'redis') print('redis kept nothing on disk: its data is gone');
      this.#saveState();
    });
  }

  #parts(): Part[] {
    return [
      ...(this.redis ? [this.redis.part] : []),
      ...this.#instances.all(),
      ...(this.#calls?.parts() ?? []),
    ];
  }

  #statusOf(id: string): PartStatus {
    return this.status().parts.find((part) => part.id === id) as PartStatus;
  }

  #state(): TopologyState {
    return {
      url: this.url,
      startedAt: this.#startedAt.toISOString(),
      pid: process.pid,
      control: { url: this.#controlUrl ?? '', token: this.#control.token },
      serviceToken: this.#access.serviceToken,
      ...(this.#redis.admin ? { redis: this.#redis.admin } : {}),
      parts: this.parts(),
    };
  }

  #saveState(): void {
    if (this.#controlUrl && !this.#stopped.signal.aborted) writeState(this.#stateFile, this.#state());
  }
}
