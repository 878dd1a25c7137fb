import type { ProcessStatus, TopologyStatus } from './control/client.ts';
import type { RedisFaultInjection } from './control/redis-fault-injection.ts';
import type { ControlServer } from './control/server.ts';
import type { LiveKit } from './livekit/livekit.ts';
import type { Instances } from './processes/instances.ts';
import type { ManagedProcess } from './processes/managed-process.ts';
import type { LoadBalancer } from './proxy/load-balancer.ts';
import type { Redis, RedisLogin } from './redis/redis.ts';
import { redisUrl } from './redis/server.ts';
import { type ProcessState, removeState, stateFile, type TopologyState, writeState } from './state.ts';

export interface DescribedTopology {
  /** The load balancer's port; 0 until it listens. */
  readonly port: () => number;
  /** The folder of the state file. */
  readonly folder: string;
  readonly redis: Redis;
  readonly redisFaults: RedisFaultInjection;
  readonly instances: Instances;
  readonly liveKit: LiveKit | undefined;
  readonly balancer: LoadBalancer;
  readonly control: ControlServer;
}

/** Describes a topology that runs: for whoever asks its control, and in its state file. */
export class TopologyDescription {
  readonly #topology: DescribedTopology;
  readonly #startedAt = new Date();
  /** Where the control answers; without it there is no state file. */
  controlUrl?: string;

  constructor(topology: DescribedTopology) {
    this.#topology = topology;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#topology.port()}`;
  }

  /** The path of the state file. */
  get file(): string {
    return stateFile(this.#topology.port(), this.#topology.folder);
  }

  /** All processes but the topology's own. */
  managed(): ManagedProcess[] {
    const { redis, instances, liveKit } = this.#topology;
    return [...redis.processes(), ...instances.all(), ...(liveKit?.processes() ?? [])];
  }

  processes(): ProcessState[] {
    const proxy: ProcessState = {
      id: 'proxy',
      kind: 'proxy',
      pid: process.pid,
      port: this.#topology.port(),
    };
    return [
      proxy,
      ...this.managed().map(({ id, kind, pid, port, adminPort }) => ({
        id,
        kind,
        pid,
        port,
        ...(adminPort === undefined ? {} : { adminPort }),
      })),
    ];
  }

  status(): TopologyStatus {
    const { balancer, redis, redisFaults } = this.#topology;
    const shared = new Set(redis.serviceProcesses().map(({ id }) => id));
    const targets = new Map(balancer.status().map((target) => [target.id, target]));
    const processes = this.processes().map((each): ProcessStatus => {
      const target = targets.get(each.id);
      if (shared.has(each.id) && redisFaults.isStalled) return { ...each, stalled: true };
      return target ? { ...each, health: target.health, connections: target.connections } : each;
    });
    return { ...this.#state(), processes, ...this.#shards() };
  }

  statusOf(id: string): ProcessStatus {
    return this.status().processes.find((each) => each.id === id) as ProcessStatus;
  }

  /** The status without secrets: the page reads it, and whatever else runs on this machine. */
  publicStatus(): Pick<TopologyStatus, 'url' | 'startedAt' | 'processes' | 'shards'> {
    const { url, startedAt, processes } = this.status();
    return { url, startedAt, processes, ...this.#shards() };
  }

  save(): void {
    if (this.controlUrl) writeState(this.file, this.#state());
  }

  remove(): void {
    if (this.controlUrl) removeState(this.file);
  }

  #shards(): Pick<TopologyStatus, 'shards'> {
    const { cluster } = this.#topology.redis;
    return cluster ? { shards: cluster.status() } : {};
  }

  #state(): TopologyState {
    const { control, instances, redis } = this.#topology;
    return {
      url: this.url,
      startedAt: this.#startedAt.toISOString(),
      pid: process.pid,
      control: { url: this.controlUrl ?? '', token: control.token },
      serviceToken: instances.serviceToken,
      ...(redis.admin ? { redis: adminOf(redis.admin) } : {}),
      ...(redis.cluster && redis.liveKit ? { liveKitRedis: adminOf(redis.liveKit.admin) } : {}),
      processes: this.processes(),
    };
  }
}

function adminOf(login: RedisLogin) {
  return { url: redisUrl(login, login.user), caFile: login.caFile };
}
