import type { Health } from '../proxy/targets.ts';
import type { ShardStatus } from '../redis/cluster.ts';
import type { ProcessState, TopologyState } from '../state.ts';
import type { RedisOutage } from './redis-fault-injection.ts';
import type { SampleHub } from './sample-jobs.ts';
import type { MovedSlots } from './shard-operations.ts';

/** A process with the load balancer's view of it, if it is a target. */
export interface ProcessStatus extends ProcessState {
  readonly health?: Health;
  /** Requests and upgraded connections under way through the load balancer. */
  readonly connections?: number;
  /** Redis, while it is stalled. */
  readonly stalled?: boolean;
}

export interface TopologyStatus extends Omit<TopologyState, 'processes'> {
  readonly processes: readonly ProcessStatus[];
  /** Where a cluster has the rooms. */
  readonly shards?: readonly ShardStatus[];
}

/** Controls a running topology. Each method rejects with the error that its control server answered. */
export class ControlClient {
  readonly #url: string;
  readonly #token: string;

  constructor(control: TopologyState['control']) {
    this.#url = control.url;
    this.#token = control.token;
  }

  state(): Promise<TopologyStatus> {
    return this.#call('GET', '/state');
  }

  /** Starts one more instance; resolves when the load balancer has found it healthy. */
  addInstance(): Promise<ProcessStatus> {
    return this.#call('POST', '/instances');
  }

  /**
   * Deregisters an instance, which drains; cuts its remaining connections after the delay and ends it. Resolves when it is
   * gone.
   * @param delayMs the deregistration delay in milliseconds. @default the drain and a second
   */
  removeInstance(id: string, delayMs?: number): Promise<{ id: string }> {
    const query = delayMs === undefined ? '' : `?delayMs=${delayMs}`;
    return this.#call('DELETE', `/instances/${encodeURIComponent(id)}${query}`);
  }

  /** Kills an instance by SIGKILL; it is started again. @returns the process id that was killed */
  killInstance(id: string): Promise<{ id: string; pid: number }> {
    return this.#call('POST', `/instances/${encodeURIComponent(id)}/kill`);
  }

  /** Kills a LiveKit node or the voice agent by SIGKILL; it is started again. @returns the process id that was killed */
  killLiveKit(id: string): Promise<{ id: string; pid: number }> {
    return this.#call('POST', `/livekit/${encodeURIComponent(id)}/kill`);
  }

  /** Ends a LiveKit node by SIGTERM and starts it again; resolves when the load balancer has found it healthy. */
  restartLiveKit(id: string): Promise<ProcessStatus> {
    return this.#call('POST', `/livekit/${encodeURIComponent(id)}/restart`);
  }

  /**
   * Replaces every instance, one after the other, each successor healthy first; resolves when all are.
   * @returns the ids of the new ones
   */
  restart(): Promise<{ instances: string[] }> {
    return this.#call('POST', '/restart');
  }

  /** Takes Redis away until it is started. @param how SIGTERM, SIGKILL or SIGSTOP. @default 'stop' */
  stopRedis(how: RedisOutage = 'stop'): Promise<{ id: string }> {
    return this.#call('POST', `/redis/stop?how=${how}`);
  }

  /** Starts Redis on the same port, or ends its stall; resolves when it answers. */
  startRedis(): Promise<{ id: string }> {
    return this.#call('POST', '/redis/start');
  }

  /** Kills the primary of a shard by SIGKILL; its replica takes over, and it comes back as the replica. */
  killPrimary(shard: number): Promise<{ id: string; pid: number }> {
    return this.#call('POST', `/shards/${shard}/kill`);
  }

  /** Lets a shard's replica take over in order. @returns the id of the new primary */
  failOver(shard: number): Promise<{ id: string }> {
    return this.#call('POST', `/shards/${shard}/failover`);
  }

  /** Moves slots, with their rooms, from one shard to another; resolves when they are there. */
  moveSlots(from: number, to: number, count: number): Promise<MovedSlots> {
    return this.#call('POST', `/shards/${from}/move?to=${to}&slots=${count}`);
  }

  /** Starts a sample job, which feeds a room as a backend would; does not wait for its end. */
  runJob(hub: SampleHub, room: string): Promise<{ hub: string; room: string }> {
    return this.#call('POST', `/jobs/${hub}?room=${encodeURIComponent(room)}`);
  }

  async #call<Reply>(method: string, path: string): Promise<Reply> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}` },
    });
    const body = (await response.json()) as Reply & { error?: string };
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${body.error ?? ''}`.trimEnd());
    return body;
  }
}
