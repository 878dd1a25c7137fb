import type { RedisServer } from './redis-server.ts';
import { ControlError } from './routes.ts';

/** `stop`: SIGTERM. `kill`: SIGKILL. `stall`: SIGSTOP, it keeps its connections and answers nothing. */
export const redisOutages = ['stop', 'kill', 'stall'] as const;
export type RedisOutage = (typeof redisOutages)[number];

const stopGraceMs = 2_000;

/** Takes the topology's Redis away, and gives it back on the same port. */
export class RedisPower {
  readonly #redis: () => RedisServer | undefined;
  readonly #ready: () => Promise<void>;
  readonly #print: (line: string) => void;
  #isStalled = false;

  /** @param ready resolves when it answers */
  constructor(
    redis: () => RedisServer | undefined,
    ready: () => Promise<void>,
    print: (line: string) => void,
  ) {
    this.#redis = redis;
    this.#ready = ready;
    this.#print = print;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** It stays away until it is started. @throws ControlError when it is away already */
  async stop(outage: RedisOutage): Promise<{ id: string }> {
    const { part } = this.#server();
    if (part.pid === undefined || this.#isStalled) throw new ControlError(409, 'redis is away already');
    if (outage === 'stall') {
      part.signal('SIGSTOP');
      this.#isStalled = true;
      this.#print('redis stands still (SIGSTOP)');
      return { id: part.id };
    }
    await part.stop(outage === 'kill' ? 0 : stopGraceMs);
    this.#print(
      `redis is ${outage === 'kill' ? 'killed' : 'stopped'}; it kept nothing on disk: its data is gone`,
    );
    return { id: part.id };
  }

  /** Resolves when it answers again. @throws ControlError when it runs */
  async start(): Promise<{ id: string }> {
    const { part } = this.#server();
    if (this.#isStalled) {
      part.signal('SIGCONT');
      this.#isStalled = false;
    } else if (part.pid === undefined) {
      await part.startAgain();
    } else {
      throw new ControlError(409, 'redis is running');
    }
    await this.#ready();
    this.#print('redis is back');
    return { id: part.id };
  }

  #server(): RedisServer {
    const redis = this.#redis();
    if (redis) return redis;
    throw new ControlError(409, 'there is no Redis: install it and start anew');
  }
}
