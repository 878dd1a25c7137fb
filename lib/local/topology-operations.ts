import { maxInstances } from './arguments.ts';
import type { Calls } from './calls.ts';
import type { PartStatus } from './control-client.ts';
import type { Operations } from './control-routes.ts';
import type { Instances } from './instances.ts';
import type { Part } from './part.ts';
import type { RedisOutage, RedisPower } from './redis-power.ts';
import { ControlError } from './routes.ts';
import { runSampleJob, type SampleHub } from './sample-jobs.ts';

export interface OperationsOptions {
  readonly instances: Instances;
  /** Undefined where there is no LiveKit. */
  readonly calls: Calls | undefined;
  readonly redis: RedisPower;
  /** Without it there can be one instance only. */
  readonly hasRedis: () => boolean;
  /** Resolves once the load balancer sends this instance requests. */
  readonly healthy: (part: Part) => Promise<void>;
  readonly statusOf: (id: string) => PartStatus;
  /** Parts came or went. */
  readonly onChange: () => void;
  readonly print: (line: string) => void;
  /** The load balancer's address. */
  readonly url: () => string;
  readonly serviceToken: string;
  readonly stopped: AbortSignal;
  /** How long connections may go on that are open when their instance is deregistered, in milliseconds. */
  readonly deregistrationDelayMs: number;
}

const mostJobs = 8;

/** What is done to a topology while it runs. Each resolves when it is done, and throws a ControlError if it can't be. */
export class TopologyOperations implements Operations {
  readonly #options: OperationsOptions;
  readonly #leaving = new Set<string>();
  #restarting = false;
  #jobs = 0;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  async addInstance(): Promise<PartStatus> {
    const { instances, hasRedis } = this.#options;
    const count = instances.all().length;
    if (!hasRedis() && count > 0) {
      throw new ControlError(409, 'without Redis there can be one instance only: install Redis');
    }
    if (count >= maxInstances) throw new ControlError(409, `there are ${count} instances: no more fit here`);
    return this.#addHealthy();
  }

  /** In the order of ECS: deregistered and told to drain, cut at the end of the delay, SIGTERM. */
  async removeInstance(id: string, delayMs = this.#options.deregistrationDelayMs): Promise<{ id: string }> {
    const { instances, print, onChange } = this.#options;
    const part = this.#instance(id);
    if (this.#leaving.has(id)) throw new ControlError(409, `${id} is on its way out already`);
    this.#leaving.add(id);
    print(`${id} is deregistered, drains and will end`);
    try {
      await instances.remove(part, delayMs);
    } finally {
      this.#leaving.delete(id);
    }
    onChange();
    return { id };
  }

  killInstance(id: string): { id: string; pid: number } {
    return kill(this.#instance(id));
  }

  /** A node, or the voice agent. */
  killLiveKit(id: string): { id: string; pid: number } {
    return kill(partOf(this.#options.calls?.parts() ?? [], id, 'part of LiveKit'));
  }

  /** SIGTERM, and started again: calls on it move to another node. */
  async restartLiveKit(id: string): Promise<PartStatus> {
    const { calls, healthy, statusOf, print, onChange } = this.#options;
    const part = partOf(calls?.nodes.all() ?? [], id, 'LiveKit node');
    if (this.#leaving.has(id)) throw new ControlError(409, `${id} is being restarted already`);
    this.#leaving.add(id);
    print(`${id} is deregistered and restarted`);
    try {
      await calls?.nodes.restart(part);
      await healthy(part);
    } finally {
      this.#leaving.delete(id);
      onChange();
    }
    return statusOf(id);
  }

  /** One after the other: its successor is healthy before an instance leaves. @returns the new ids */
  async restart(): Promise<{ instances: string[] }> {
    const { instances, hasRedis, print } = this.#options;
    if (!hasRedis()) throw new ControlError(409, 'without Redis there is one instance, and none beside it');
    if (this.#restarting) throw new ControlError(409, 'a rolling restart is under way');
    this.#restarting = true;
    print('rolling restart');
    try {
      const successors: string[] = [];
      for (const { id } of instances.all()) {
        if (this.#leaving.has(id)) continue;
        successors.push((await this.#addHealthy()).id);
        if (instances.get(id)) await this.removeInstance(id);
      }
      return { instances: successors };
    } finally {
      this.#restarting = false;
    }
  }

  stopRedis(outage: RedisOutage): Promise<{ id: string }> {
    return this.#changed(this.#options.redis.stop(outage));
  }

  startRedis(): Promise<{ id: string }> {
    return this.#changed(this.#options.redis.start());
  }

  /** Starts a sample job and does not wait for it. */
  runJob(hub: SampleHub, room: string): { hub: string; room: string } {
    const { url, serviceToken, stopped, print } = this.#options;
    if (this.#jobs >= mostJobs)
      throw new ControlError(429, `${this.#jobs} sample jobs run: wait for one to end`);
    this.#jobs += 1;
    runSampleJob({ url: url(), serviceToken, hub, room, signal: stopped })
      .catch((error: Error) => stopped.aborted || print(`a sample job failed: ${error.message}`))
      .finally(() => {
        this.#jobs -= 1;
      });
    return { hub, room };
  }

  async #addHealthy(): Promise<PartStatus> {
    const { instances, healthy, statusOf, onChange } = this.#options;
    const part = instances.add();
    try {
      await healthy(part);
    } catch (error) {
      await instances.remove(part, 0);
      throw new ControlError(500, (error as Error).message);
    }
    onChange();
    return statusOf(part.id);
  }

  async #changed<T>(doing: Promise<T>): Promise<T> {
    try {
      return await doing;
    } finally {
      this.#options.onChange();
    }
  }

  #instance(id: string): Part {
    return partOf(this.#options.instances.all(), id, 'instance');
  }
}

function partOf(parts: readonly Part[], id: string, what: string): Part {
  const part = parts.find((each) => each.id === id);
  if (part) return part;
  throw new ControlError(
    404,
    `no ${what} "${id}"; there are: ${parts.map((each) => each.id).join(', ') || 'none'}`,
  );
}

function kill(part: Part): { id: string; pid: number } {
  const { id, pid } = part;
  if (pid === undefined) throw new ControlError(409, `${id} is not running at the moment`);
  part.kill();
  return { id, pid };
}
