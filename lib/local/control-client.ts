import type { Health } from './proxy/targets.ts';
import type { RedisOutage } from './redis-power.ts';
import type { SampleHub } from './sample-jobs.ts';
import type { PartState, TopologyState } from './state.ts';

/** A part with the load balancer's view of it, where it is behind it. */
export interface PartStatus extends PartState {
  readonly health?: Health;
  /** Requests and upgraded connections under way through the load balancer. */
  readonly connections?: number;
  /** Redis, that stands still. */
  readonly stalled?: boolean;
}

export interface TopologyStatus extends Omit<TopologyState, 'parts'> {
  readonly parts: readonly PartStatus[];
}

/** Speaks to a topology's control. Each call rejects with what the control answered. */
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
  addInstance(): Promise<PartStatus> {
    return this.#call('POST', '/instances');
  }

  /**
   * Deregisters an instance, which drains; cuts what it still has after the delay, ends it; resolves when it is gone.
   * @param delayMs the deregistration delay in milliseconds. @default the drain and a second
   */
  removeInstance(id: string, delayMs?: number): Promise<{ id: string }> {
    const query = delayMs === undefined ? '' : `?delayMs=${delayMs}`;
    return this.#call('DELETE', `/instances/${encodeURIComponent(id)}${query}`);
  }

  /** SIGKILLs an instance; it is started again. Resolves with the process id that was killed. */
  killInstance(id: string): Promise<{ id: string; pid: number }> {
    return this.#call('POST', `/instances/${encodeURIComponent(id)}/kill`);
  }

  /** SIGKILLs a LiveKit node or the voice agent; it is started again. Resolves with the process id that was killed. */
  killLiveKit(id: string): Promise<{ id: string; pid: number }> {
    return this.#call('POST', `/livekit/${encodeURIComponent(id)}/kill`);
  }

  /** Ends a LiveKit node in order and starts it again; resolves when the load balancer has found it healthy. */
  restartLiveKit(id: string): Promise<PartStatus> {
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

  /** Starts it on the same port, or lets it go on; resolves when it answers. */
  startRedis(): Promise<{ id: string }> {
    return this.#call('POST', '/redis/start');
  }

  /** Plays the backend that feeds a room; does not wait for its end. */
  runJob(hub: SampleHub, room: string): Promise<{ hub: string; room: string }> {
    return this.#call('POST', `/jobs/${hub}?room=${encodeURIComponent(room)}`);
  }

  async #call<Answer>(method: string, path: string): Promise<Answer> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}` },
    });
    const body = (await response.json()) as Answer & { error?: string };
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${body.error ?? ''}`.trimEnd());
    return body;
  }
}
