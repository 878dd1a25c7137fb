import type { ManagedProcess } from '../processes/managed-process.ts';
import type { Redis } from '../redis/redis.ts';
import { ControlError } from './server.ts';

/** `stop`: SIGTERM. `kill`: SIGKILL. `stall`: SIGSTOP; it keeps its connections and answers nothing. */
export const redisOutages = ['stop', 'kill', 'stall'] as const;
export type RedisOutage = (typeof redisOutages)[number];

const stopGraceMs = 2_000;
/** Of all of it, however many nodes there are. */
const id = 'redis';

/** Takes the topology's Redis away, all nodes of it, and gives it back on the same ports. */
export class RedisFaultInjection {
  readonly #redis: Redis;
  readonly #print: (line: string) => void;
  #isStalled = false;

  constructor(redis: Redis, print: (line: string) => void) {
    this.#redis = redis;
    this.#print = print;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Redis stays away until it is started. @throws ControlError when it is away already */
  async stop(outage: RedisOutage): Promise<{ id: string }> {
    const processes = this.#processes();
    if (this.#isStalled || !isRunning(processes)) throw new ControlError(409, 'redis is away already');
    if (outage === 'stall') {
      for (const each of processes) each.signal('SIGSTOP');
      this.#isStalled = true;
      this.#print('redis is stalled (SIGSTOP)');
      return { id };
    }
    await Promise.all(processes.map((each) => each.stop(outage === 'kill' ? 0 : stopGraceMs)));
    this.#print(
      `redis is ${outage === 'kill' ? 'killed' : 'stopped'}; it stores nothing on disk: its data is gone`,
    );
    return { id };
  }

  /** Resolves when Redis answers again. @throws ControlError when it runs */
  async start(): Promise<{ id: string }> {
    const processes = this.#processes();
    if (this.#isStalled) {
      for (const each of processes) each.signal('SIGCONT');
      this.#isStalled = false;
      await this.#redis.serves();
    } else if (isRunning(processes)) {
      throw new ControlError(409, 'redis is running');
    } else {
      await this.#redis.startAgain();
    }
    this.#print('redis is back');
    return { id };
  }

  #processes(): ManagedProcess[] {
    const processes = this.#redis.serviceProcesses();
    if (processes.length > 0) return processes;
    throw new ControlError(409, 'there is no Redis: install it and start anew');
  }
}

function isRunning(processes: readonly ManagedProcess[]): boolean {
  return processes.some(({ pid }) => pid !== undefined);
}
