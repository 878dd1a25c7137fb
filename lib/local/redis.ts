import { environmentNames as names } from '../../app/names.ts';
import type { Guard } from './guard.ts';
import type { Part } from './part.ts';
import type { PrivateFolder } from './private-folder.ts';
import { tellDenials } from './redis-denials.ts';
import { RedisPower } from './redis-power.ts';
import { redisReady } from './redis-ready.ts';
import type { RedisServer } from './redis-server.ts';
import { type RedisSetup, setUpRedis } from './redis-setup.ts';
import { settled } from './settled.ts';
import { StartError } from './start-error.ts';

export interface RedisOptions {
  /** The server's program; undefined: there is none, and no backplane. */
  readonly binary: string | undefined;
  /** What the instances inherit. */
  readonly environment: NodeJS.ProcessEnv;
  readonly guard: Guard;
  readonly folder: PrivateFolder;
  readonly stopped: AbortSignal;
  /** Told of its part before it is started. */
  readonly onPart: (part: Part) => void;
  readonly print: (line: string) => void;
}

const stopGraceMs = 2_000;

/** The topology's Redis, if it has one: set up, started, watched, and taken away when that is asked for. */
export class Redis {
  readonly power: RedisPower;
  readonly #options: RedisOptions;
  #setup?: RedisSetup;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.power = new RedisPower(
      () => this.server,
      () => this.ready(),
      options.print,
    );
  }

  /** Undefined in single-instance mode. */
  get server(): RedisServer | undefined {
    return this.#setup?.server;
  }

  get admin(): RedisSetup['admin'] | undefined {
    return this.#setup?.admin;
  }

  /** What leads an instance of the service to it. */
  variables(): Readonly<Record<string, string>> {
    return this.#setup?.variables ?? { [names.redisUrl]: 'none' };
  }

  /** Does not wait until it answers. @throws StartError when its program can't be used */
  async start(): Promise<void> {
    const { binary, stopped, onPart, print } = this.#options;
    if (!binary) return;
    const setup = await setUpRedis({ ...this.#options, binary });
    if (stopped.aborted) throw new StartError('stopped');
    this.#setup = setup;
    onPart(setup.server.part);
    void setup.server.part.start();
    void tellDenials(setup.server, print, stopped);
  }

  /** Resolves once it lets the service in. @throws StartError when it does not come up */
  async ready(): Promise<void> {
    const { server } = this;
    if (!server) return;
    await settled(server.part, this.#options.stopped, async (signal) => {
      await redisReady(server, signal);
      server.part.markReady();
    });
  }

  async stop(): Promise<void> {
    await this.server?.part.stop(stopGraceMs);
  }
}
