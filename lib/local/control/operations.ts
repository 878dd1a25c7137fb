import { once } from 'node:events';
import type { LiveKit } from '../livekit/livekit.ts';
import { type InstanceOptions, type Instances, maxInstances } from '../processes/instances.ts';
import type { ManagedProcess } from '../processes/managed-process.ts';
import type { ProcessStatus } from './client.ts';
import type { RedisFaultInjection, RedisOutage } from './redis-fault-injection.ts';
import { runSampleJob, type SampleHub } from './sample-jobs.ts';
import { ControlError } from './server.ts';
import type { ShardOperations } from './shard-operations.ts';

export interface OperationsOptions {
  readonly instances: Instances;
  /** Undefined where there is no LiveKit. */
  readonly liveKit: LiveKit | undefined;
  readonly redisFaults: RedisFaultInjection;
  readonly shards: ShardOperations;
  /** Without Redis there can be one instance only. */
  readonly hasRedis: () => boolean;
  /** Resolves once the load balancer sends requests to this process; the signal ends the wait. */
  readonly healthy: (target: ManagedProcess, signal?: AbortSignal) => Promise<void>;
  readonly statusOf: (id: string) => ProcessStatus;
  /** Called when processes came or went. */
  readonly onChange: () => void;
  readonly print: (line: string) => void;
  /** The load balancer's address. */
  readonly url: () => string;
  readonly stopped: AbortSignal;
  /** How long the open connections of an instance that is deregistered may go on, in milliseconds. */
  readonly deregistrationDelayMs: number;
}

const maxJobs = 8;

/** The operations on a running topology. Each resolves when it is done, and throws a ControlError if it can't be. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #leaving = new Set<string>();
  #replacing: Promise<unknown> | undefined;
  #jobs = 0;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  async addInstance(): Promise<ProcessStatus> {
    const { instances, hasRedis } = this.#options;
    const count = instances.all().length;
    if (!hasRedis() && count > 0) {
      throw new ControlError(409, 'without Redis there can be one instance only: install Redis');
    }
    if (count >= maxInstances) throw new ControlError(409, `there are ${count} instances: no more fit here`);
    return this.#addHealthy();
  }

  /** In the order of ECS: it is deregistered and drains, its connections are cut after the delay, then SIGTERM. */
  async removeInstance(id: string, delayMs = this.#options.deregistrationDelayMs): Promise<{ id: string }> {
    const { instances, print, onChange } = this.#options;
    const instance = this.#instance(id);
    if (this.#leaving.has(id)) throw new ControlError(409, `${id} is on its way out already`);
    this.#leaving.add(id);
    print(`${id} is deregistered, drains and will end`);
    try {
      await instances.remove(instance, delayMs);
    } finally {
      this.#leaving.delete(id);
    }
    onChange();
    return { id };
  }

  killInstance(id: string): { id: string; pid: number } {
    return kill(this.#instance(id));
  }

  /** Kills a node, or the voice agent. */
  killLiveKit(id: string): { id: string; pid: number } {
    return kill(find(this.#options.liveKit?.processes() ?? [], id, 'process of LiveKit'));
  }

  /** Sends SIGTERM and starts the node again; its calls move to another node. */
  async restartLiveKit(id: string): Promise<ProcessStatus> {
    const { liveKit, healthy, statusOf, print, onChange } = this.#options;
    const node = find(liveKit?.nodes.all() ?? [], id, 'LiveKit node');
    if (this.#leaving.has(id)) throw new ControlError(409, `${id} is being restarted already`);
    this.#leaving.add(id);
    print(`${id} is deregistered and restarted`);
    try {
      await liveKit?.nodes.restart(node);
      await healthy(node);
    } finally {
      this.#leaving.delete(id);
      onChange();
    }
    return statusOf(id);
  }

  /** Replaces one instance after the other: its successor is healthy before it leaves. @returns the new ids */
  async restart(): Promise<{ instances: string[] }> {
    const { hasRedis, instances, print } = this.#options;
    if (!hasRedis()) throw new ControlError(409, 'without Redis there is one instance, and none beside it');
    if (this.#replacing) throw new ControlError(409, 'instances are being replaced already');
    print('rolling restart');
    const old = new Set(instances.all().map(({ id }) => id));
    return { instances: await this.#replaceAll((id) => old.has(id), {}) };
  }

  /**
   * Replaces one instance after the other by one of another build, until none has an older one. Where there is no Redis,
   * two that share nothing run side by side meanwhile.
   * @param superseded ends it when no instance is half replaced: there is a newer build
   * @param onServing called with the id of each new instance that takes clients
   * @throws ControlError when the build does not boot: the instances that have not been replaced go on
   */
  async rollOut(entry: string, superseded: AbortSignal, onServing: (id: string) => void): Promise<void> {
    while (this.#replacing) await this.#replacing.catch(() => {});
    const isOld = (id: string) => this.#options.instances.entryOf(id) !== entry;
    await this.#replaceAll(isOld, { entry, bootAttempts: 1 }, superseded, (id) => {
      this.#options.instances.setEntry(entry);
      onServing(id);
    });
  }

  async #replaceAll(
    isOld: (id: string) => boolean,
    options: InstanceOptions,
    superseded?: AbortSignal,
    onServing?: (id: string) => void,
  ): Promise<string[]> {
    const replacing = this.#replaceEach(isOld, options, superseded, onServing);
    this.#replacing = replacing;
    try {
      return await replacing;
    } finally {
      this.#replacing = undefined;
    }
  }

  async #replaceEach(
    isOld: (id: string) => boolean,
    options: InstanceOptions,
    superseded?: AbortSignal,
    onServing?: (id: string) => void,
  ): Promise<string[]> {
    const { instances } = this.#options;
    const successors: string[] = [];
    const next = () => instances.all().find(({ id }) => isOld(id) && !this.#leaving.has(id));
    for (let old = next(); old && !superseded?.aborted; old = next()) {
      const successor = await this.#addHealthy(options, superseded);
      successors.push(successor.id);
      onServing?.(successor.id);
      // Somebody else may have removed it meanwhile.
      const isThere = instances.get(old.id) && !this.#leaving.has(old.id);
      if (isThere) await orAborted(this.removeInstance(old.id), superseded);
    }
    return successors;
  }

  get shards(): ShardOperations {
    return this.#options.shards;
  }

  stopRedis(outage: RedisOutage): Promise<{ id: string }> {
    return this.#changed(this.#options.redisFaults.stop(outage));
  }

  startRedis(): Promise<{ id: string }> {
    return this.#changed(this.#options.redisFaults.start());
  }

  /** Starts a sample job and does not wait for it. */
  runJob(hub: SampleHub, room: string): { hub: string; room: string } {
    const { url, instances, stopped, print } = this.#options;
    if (this.#jobs >= maxJobs)
      throw new ControlError(429, `${this.#jobs} sample jobs run: wait for one to end`);
    this.#jobs += 1;
    const { serviceToken } = instances;
    runSampleJob({ url: url(), serviceToken, hub, room, signal: stopped })
      .catch((error: Error) => stopped.aborted || print(`a sample job failed: ${error.message}`))
      .finally(() => {
        this.#jobs -= 1;
      });
    return { hub, room };
  }

  async #addHealthy(options: InstanceOptions = {}, signal?: AbortSignal): Promise<ProcessStatus> {
    const { instances, healthy, statusOf, onChange } = this.#options;
    const instance = instances.add(options);
    try {
      await healthy(instance, signal);
    } catch (error) {
      await instances.remove(instance, 0);
      throw new ControlError(500, (error as Error).message);
    }
    onChange();
    return statusOf(instance.id);
  }

  async #changed<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } finally {
      this.#options.onChange();
    }
  }

  #instance(id: string): ManagedProcess {
    return find(this.#options.instances.all(), id, 'instance');
  }
}

function find(processes: readonly ManagedProcess[], id: string, what: string): ManagedProcess {
  const found = processes.find((each) => each.id === id);
  if (found) return found;
  throw new ControlError(
    404,
    `no ${what} "${id}"; there are: ${processes.map((each) => each.id).join(', ') || 'none'}`,
  );
}

function kill(managed: ManagedProcess): { id: string; pid: number } {
  const { id, pid } = managed;
  if (pid === undefined) throw new ControlError(409, `${id} is not running at the moment`);
  managed.kill();
  return { id, pid };
}

/** Resolves with the operation, or as soon as nobody waits for it any more; then it goes on by itself. */
async function orAborted(operation: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) {
    await operation;
    return;
  }
  operation.catch(() => {});
  if (!signal.aborted) await Promise.race([operation, once(signal, 'abort')]);
}
