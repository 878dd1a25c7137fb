import type { ManagedProcess } from '../processes/managed-process.ts';
import type { Redis } from '../redis/redis.ts';
import { ControlError } from './server.ts';

/** `stop`: SIGTERM. `kill`: SIGKILL. `stall`: SIGSTOP; it keeps its connections and answers nothing. */
export const redisOutages = ['stop', 'kill', 'stall'] as const;
export type RedisOutage = (typeof redisOutages)[number];

const stopGraceMs = 2_000;

/** Takes the topology's Redis away, and gives it back on the same port. */
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
    const redis = this.#process();
    if (redis.pid === undefined || this.#isStalled) throw new ControlError(409, 'redis is away already');
    if (outage === 'stall') {
      redis.signal('SIGSTOP');
      this.#isStalled = true;
      this.#print('redis is stalled (SIGSTOP)');
      return { id: redis.id };
    }
    await redis.stop(outage === 'kill' ? 0 : stopGraceMs);
    this.#print(
      `redis is ${outage === 'kill' ? 'killed' : 'stopped'}; it stores nothing on disk: its data is gone`,
    );
    return { id: redis.id };
  }

  /** Resolves when Redis answers again. @throws ControlError when it runs */
  async start(): Promise<{ id: string }> {
    const redis = this.#process();
    if (this.#isStalled) {
      redis.signal('SIGCONT');
      this.#isStalled = false;
    } else if (redis.pid === undefined) {
      await redis.startAgain();
    } else {
      throw new ControlError(409, 'redis is running');
    }
    await this.#redis.ready();
    this.#print('redis is back');
    return { id: redis.id };
  }

  #process(): ManagedProcess {
    const { server } = this.#redis;
    if (server) return server.process;
    throw new ControlError(409, 'there is no Redis: install it and start anew');
  }
}
