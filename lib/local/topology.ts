import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Control, ControlError } from './control.ts';
import type { PartStatus, TopologyStatus } from './control-client.ts';
import { firstMessage, loadClient } from './first-message.ts';
import { Guard } from './guard.ts';
import { Instances } from './instances.ts';
import { renderLine } from './log-lines.ts';
import type { Part } from './part.ts';
import { firstFree } from './ports.ts';
import { LoadBalancer } from './proxy/load-balancer.ts';
import { prepareRedis, type RedisServer, redisReady } from './redis-server.ts';
import { cannotListen, diedAtBoot, noEntry, notReady, readyMs, StartError } from './start-error.ts';
import {
  type PartState,
  removeState,
  stateFile,
  stateFolder,
  type TopologyState,
  writeState,
} from './state.ts';

export interface TopologyOptions {
  /** Instances of the service. With no Redis it is one, whatever is asked for. */
  readonly instances: number;
  /** The load balancer's port, which must be free. @default 8080, or the next free one */
  readonly port?: number;
  /** Program of the Redis server; undefined for single-instance mode. */
  readonly redisBinary: string | undefined;
  /** The service's entry. @default app/dist/server/main.js */
  readonly entry?: string;
  /** Show every line that the parts log. @default false */
  readonly verbose?: boolean;
  /** What the instances inherit. */
  readonly environment: NodeJS.ProcessEnv;
  /** Where the state file goes. @default .local in the project's root */
  readonly folder?: string;
  /** Takes each line that is to be shown. */
  readonly print: (line: string) => void;
}

const defaultPort = 8080;
const defaultEntry = fileURLToPath(new URL('../../app/dist/server/main.js', import.meta.url));
const redisStopGraceMs = 2_000;
/** On AWS it is minutes; here who removes an instance waits for it. */
const defaultDeregistrationDelayMs = 1_000;
const longestDeregistrationDelayMs = 3_600_000;

/** Redis, the service's instances and a load balancer in front, with one control. */
export class Topology {
  readonly #options: TopologyOptions;
  readonly #entry: string;
  readonly #startedAt = new Date();
  readonly #guard = new Guard();
  readonly #balancer = new LoadBalancer();
  readonly #instances: Instances;
  readonly #control = new Control([
    { method: 'GET', path: /^\/state$/, answer: () => this.status() },
    { method: 'POST', path: /^\/instances$/, answer: () => this.addInstance() },
    {
      method: 'DELETE',
      path: /^\/instances\/([^/]+)$/,
      answer: ([id = ''], query) => this.removeInstance(id, delayOf(query)),
    },
    { method: 'POST', path: /^\/instances\/([^/]+)\/kill$/, answer: ([id = '']) => this.killInstance(id) },
  ]);
  readonly #stopped = new AbortController();
  #redis?: RedisServer;
  #redisName?: string;
  #redisUrl?: string;
  #port = 0;
  #controlUrl?: string;

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.#entry = options.entry ?? defaultEntry;
    this.#instances = new Instances({
      entry: this.#entry,
      redisUrl: () => this.#redisUrl,
      environment: options.environment,
      balancer: this.#balancer,
      guard: this.#guard,
      onPart: (part) => this.#attend(part),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The load balancer's port. */
  get port(): number {
    return this.#port;
  }

  /** Name and version of the Redis server, once it is ready. */
  get redisName(): string | undefined {
    return this.#redisName;
  }

  /** Resolves when every part is ready and the control answers; rejects with a StartError. */
  async start(): Promise<void> {
    if (!existsSync(this.#entry)) throw new StartError(noEntry(this.#entry, this.#entry === defaultEntry));
    await this.#listen();
    await this.#startRedis();
    if (this.#stopped.signal.aborted) throw new StartError('stopped');
    const count = this.#redis ? this.#options.instances : 1;
    const parts = Array.from({ length: count }, () => this.#instances.add());
    loadClient().catch(() => {}); // firstMessage() reports what is wrong with it.
    await Promise.all([this.#redisReady(), ...parts.map((part) => this.#healthy(part))]);
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

  /** Ends every part, the clients' connections first. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#control.close();
    await this.#balancer.close();
    await this.#instances.stop();
    await this.#redis?.part.stop(redisStopGraceMs);
    if (this.#controlUrl) removeState(this.#stateFile);
    this.#guard.close();
  }

  /** Ends every part at once. */
  kill(): void {
    this.#stopped.abort();
    for (const part of this.#parts()) void part.stop(0);
    if (this.#controlUrl) removeState(this.#stateFile);
    this.#guard.close();
  }

  parts(): PartState[] {
    const proxy: PartState = { id: 'proxy', kind: 'proxy', pid: process.pid, port: this.#port };
    return [proxy, ...this.#parts().map(({ id, kind, pid, port }) => ({ id, kind, pid, port }))];
  }

  status(): TopologyStatus {
    const targets = new Map(this.#balancer.status().map((target) => [target.id, target]));
    const parts = this.parts().map((part): PartStatus => {
      const target = targets.get(part.id);
      return target ? { ...part, health: target.health, connections: target.connections } : part;
    });
    return { ...this.#state(), parts };
  }

  async addInstance(): Promise<PartStatus> {
    if (!this.#redis)
      throw new ControlError(409, 'without Redis there can be one instance only: install Redis');
    const part = this.#instances.add();
    try {
      await this.#healthy(part);
    } catch (error) {
      await this.#instances.remove(part, 0);
      throw new ControlError(500, (error as Error).message);
    }
    this.#saveState();
    return this.#statusOf(part.id);
  }

  async removeInstance(id: string, delayMs: number): Promise<{ id: string }> {
    const part = this.#instance(id);
    this.#options.print(`${id} is deregistered and will end`);
    await this.#instances.remove(part, delayMs);
    this.#saveState();
    return { id };
  }

  killInstance(id: string): { id: string; pid: number } {
    const part = this.#instance(id);
    const { pid } = part;
    if (pid === undefined) throw new ControlError(409, `${id} is not running at the moment`);
    part.kill();
    return { id, pid };
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

  async #startRedis(): Promise<void> {
    const { redisBinary } = this.#options;
    if (!redisBinary) return;
    const redis = await prepareRedis(this.#guard, { binary: redisBinary });
    this.#redis = redis;
    this.#redisUrl = redis.url;
    this.#attend(redis.part);
    void redis.part.start();
  }

  async #redisReady(): Promise<void> {
    const redis = this.#redis;
    if (!redis) return;
    await this.#settled(redis.part, async (signal) => {
      this.#redisName = await redisReady(redis.port, signal);
      redis.part.markReady();
    });
  }

  /** Resolves once the load balancer sends this instance requests. */
  #healthy(part: Part): Promise<void> {
    return this.#settled(
      part,
      (signal) =>
        new Promise((resolve) => {
          const off = this.#balancer.onHealth(
            (id, health) => id === part.id && health === 'healthy' && resolve(),
          );
          signal.addEventListener('abort', off, { once: true });
        }),
    );
  }

  /** Waits for a part, unless it is given up, takes too long, or everything is stopped meanwhile. */
  async #settled(part: Part, ready: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const over = new AbortController();
    const failed = new Promise<never>((_resolve, reject) => {
      part.on('died', ({ reason, restartInMs }) => {
        if (restartInMs === undefined) reject(new StartError(diedAtBoot(part, reason)));
      });
      const timer = setTimeout(() => reject(new StartError(notReady(part))), readyMs);
      over.signal.addEventListener('abort', () => clearTimeout(timer));
      this.#stopped.signal.addEventListener('abort', () => reject(new StartError('stopped')), { once: true });
    });
    try {
      await Promise.race([ready(over.signal), failed]);
    } finally {
      over.abort();
    }
  }

  /** Reports what becomes of a part. */
  #attend(part: Part): void {
    const { print, verbose = false } = this.#options;
    part.on('line', (text, stream) => {
      const line = renderLine(part, text, stream, verbose);
      if (line !== undefined) print(line);
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
    return [...(this.#redis ? [this.#redis.part] : []), ...this.#instances.all()];
  }

  #instance(id: string): Part {
    const part = this.#instances.get(id);
    if (part) return part;
    const known = this.#instances.all().map((each) => each.id);
    throw new ControlError(404, `no instance "${id}"; there are: ${known.join(', ') || 'none'}`);
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
      parts: this.parts(),
    };
  }

  #saveState(): void {
    if (this.#controlUrl && !this.#stopped.signal.aborted) writeState(this.#stateFile, this.#state());
  }
}

function delayOf(query: URLSearchParams): number {
  const text = query.get('delayMs') ?? String(defaultDeregistrationDelayMs);
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value <= longestDeregistrationDelayMs) return value;
  throw new ControlError(
    400,
    `delayMs must be a whole number from 0 to ${longestDeregistrationDelayMs}, got: "${text}"`,
  );
}
