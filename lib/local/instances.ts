import { environmentNames as names } from '../../app/names.ts';
import type { Access } from './access.ts';
import type { Guard } from './guard.ts';
import { Part } from './part.ts';
import { freePort } from './ports.ts';
import type { LoadBalancer } from './proxy/load-balancer.ts';

export interface InstancesOptions {
  /** The service's entry, a JavaScript file. */
  readonly entry: string;
  /** What leads an instance to Redis and LiveKit, asked when it starts. */
  readonly variables: () => Readonly<Record<string, string>>;
  /** What the instances inherit. */
  readonly environment: NodeJS.ProcessEnv;
  readonly access: Access;
  /** Seconds over which an instance that leaves sends its clients elsewhere. */
  readonly drainSeconds: number;
  readonly balancer: LoadBalancer;
  readonly guard: Guard;
  /** Told of each new part before it is started. */
  readonly onPart: (part: Part) => void;
}

/** How long an instance may take for its way out behind its drain before it is killed, in milliseconds. */
const closingMs = 10_000;
const redisNames = [
  names.redisConnectionString,
  names.redisUrl,
  names.redisUrlParameter,
  names.redisSecretId,
];

/** The instances of the service: each is a part, and a target of the load balancer while its process runs. */
export class Instances {
  readonly #options: InstancesOptions;
  readonly #parts = new Map<string, Part>();
  #started = 0;

  constructor(options: InstancesOptions) {
    this.#options = options;
    options.balancer.onHealth((id, health) => {
      if (health === 'healthy') this.#parts.get(id)?.markReady();
    });
  }

  all(): Part[] {
    return [...this.#parts.values()];
  }

  get(id: string): Part | undefined {
    return this.#parts.get(id);
  }

  /** Starts one more. */
  add(): Part {
    const id = `app-${++this.#started}`;
    const { guard, balancer, onPart } = this.#options;
    const part = new Part({ id, kind: 'instance', guard, launch: (lastPort) => this.#launch(id, lastPort) });
    this.#parts.set(id, part);
    part.on('started', () => balancer.register({ id, host: '127.0.0.1', port: part.port as number }));
    // A target whose process is gone is gone too; as on ECS, its successor is another target.
    part.on('gone', () => void balancer.deregister(id, 0));
    onPart(part);
    void part.start();
    return part;
  }

  /**
   * Takes one away in the order of ECS: out of the load balancer, which the instance learns at once and drains; what
   * is still connected is cut once `delayMs` milliseconds are over, and only then the instance is asked to end.
   */
  async remove(part: Part, delayMs: number): Promise<void> {
    part.retire();
    const deregistered = this.#options.balancer.deregister(part.id, delayMs);
    part.signal('SIGUSR2');
    await deregistered;
    await part.stop(this.#stopGraceMs);
    this.#parts.delete(part.id);
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map((part) => part.stop(this.#stopGraceMs)));
  }

  get #stopGraceMs(): number {
    return this.#options.drainSeconds * 1_000 + closingMs;
  }

  async #launch(id: string, lastPort: number | undefined) {
    const port = await freePort(lastPort);
    const adminPort = await freePort();
    const env = this.#environment(id, port, adminPort);
    return { command: process.execPath, args: [this.#options.entry], env, port, adminPort };
  }

  #environment(id: string, port: number, adminPort: number): NodeJS.ProcessEnv {
    const inherited = { ...this.#options.environment };
    // Where Redis is, is said here alone.
    for (const name of redisNames) delete inherited[name];
    return {
      // The load balancer is the one proxy in front.
      [names.trustedProxyHops]: '1',
      ...inherited,
      ...this.#options.access.variables,
      [names.host]: '127.0.0.1',
      [names.port]: String(port),
      ...this.#options.variables(),
      [names.instanceId]: id,
      [names.adminPort]: String(adminPort),
      [names.drainSeconds]: String(this.#options.drainSeconds),
      [names.idleTimeoutSeconds]: String(Math.ceil(this.#options.balancer.idleTimeoutMs / 1000)),
    };
  }
}
