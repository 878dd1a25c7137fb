import { randomBytes } from 'node:crypto';
import { environmentNames as names } from '../../../app/names.ts';
import type { LoadBalancer } from '../proxy/load-balancer.ts';
import { ManagedProcess } from './managed-process.ts';
import { freePort } from './ports.ts';
import type { Watchdog } from './watchdog.ts';

export interface InstancesOptions {
  /** The service's entry, a JavaScript file. */
  readonly entry: string;
  /** The variables that lead an instance to Redis and LiveKit; they are asked for when it starts. */
  readonly variables: () => Readonly<Record<string, string>>;
  /** What the instances inherit. */
  readonly environment: NodeJS.ProcessEnv;
  /** Seconds over which an instance that leaves sends its clients elsewhere. */
  readonly drainSeconds: number;
  readonly balancer: LoadBalancer;
  readonly watchdog: Watchdog;
  /** Called with each new process before it is started. */
  readonly onProcess: (instance: ManagedProcess) => void;
}

/** How an instance differs from the usual ones. */
export interface InstanceOptions {
  /** Another build of the service. */
  readonly entry?: string;
  /** After so many ends before it was ever ready it is given up. @default 3 */
  readonly bootAttempts?: number;
}

/** The most instances that one topology may have. */
export const maxInstances = 16;
/** How long an instance may take to end after its drain before it is killed, in milliseconds. */
const closingMs = 10_000;
const redisNames = [
  names.redisConnectionString,
  names.redisUrl,
  names.redisUrlParameter,
  names.redisSecretId,
];

/** The instances of the service. Each is a target of the load balancer while its process runs. */
export class Instances {
  /** Opens the service's HTTP API. */
  readonly serviceToken: string;
  readonly #options: InstancesOptions;
  readonly #instances = new Map<string, ManagedProcess>();
  /** By id. */
  readonly #entries = new Map<string, string>();
  readonly #access: Readonly<Record<string, string>>;
  /** The last build that was rolled out. */
  #entry: string;
  #started = 0;

  constructor(options: InstancesOptions) {
    this.#options = options;
    this.#entry = options.entry;
    [this.serviceToken, this.#access] = accessFrom(options.environment);
    options.balancer.onHealth((id, health) => {
      if (health === 'healthy') this.#instances.get(id)?.markReady();
    });
  }

  all(): ManagedProcess[] {
    return [...this.#instances.values()];
  }

  get(id: string): ManagedProcess | undefined {
    return this.#instances.get(id);
  }

  /** The build that this one has for life. */
  entryOf(id: string): string | undefined {
    return this.#entries.get(id);
  }

  /** The builds that instances have now. */
  entriesInUse(): ReadonlySet<string> {
    return new Set([this.#entry, ...this.#entries.values()]);
  }

  /** From now on new instances are of this build. */
  setEntry(entry: string): void {
    this.#entry = entry;
  }

  /** Starts one more. It has its build for life: when it dies, the same is started again. */
  add({ entry = this.#entry, bootAttempts }: InstanceOptions = {}): ManagedProcess {
    const id = `app-${++this.#started}`;
    const { watchdog, balancer, onProcess } = this.#options;
    const instance = new ManagedProcess({
      id,
      kind: 'instance',
      watchdog,
      launch: (lastPort) => this.#launch(id, entry, lastPort),
      bootAttempts,
    });
    this.#instances.set(id, instance);
    this.#entries.set(id, entry);
    instance.on('started', () => balancer.register({ id, host: '127.0.0.1', port: instance.port as number }));
    // A target ends with its process; as on ECS, its successor is another target.
    instance.on('gone', () => balancer.died(id));
    onProcess(instance);
    void instance.start();
    return instance;
  }

  /**
   * Removes one in the order of ECS: it is deregistered from the load balancer, learns that at once and drains; what is
   * still connected after `delayMs` milliseconds is cut, and only then it gets SIGTERM.
   */
  async remove(instance: ManagedProcess, delayMs: number): Promise<void> {
    instance.retire();
    const deregistered = this.#options.balancer.deregister(instance.id, delayMs);
    instance.signal('SIGUSR2');
    await deregistered;
    await instance.stop(this.#stopGraceMs);
    this.#instances.delete(instance.id);
    this.#entries.delete(instance.id);
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map((instance) => instance.stop(this.#stopGraceMs)));
  }

  get #stopGraceMs(): number {
    return this.#options.drainSeconds * 1_000 + closingMs;
  }

  async #launch(id: string, entry: string, lastPort: number | undefined) {
    const port = await freePort(lastPort);
    const adminPort = await freePort();
    const env = this.#environment(id, port, adminPort);
    return { command: process.execPath, args: [entry], env, port, adminPort };
  }

  #environment(id: string, port: number, adminPort: number): NodeJS.ProcessEnv {
    const inherited = { ...this.#options.environment };
    // The topology alone decides which Redis the instances use.
    for (const name of redisNames) delete inherited[name];
    return {
      // The load balancer is the one proxy in front.
      [names.trustedProxyHops]: '1',
      ...inherited,
      ...this.#access,
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

/**
 * Guests are let in and every token is checked, as on AWS. The secrets are random at each start, unless the environment
 * has them; its `AUTH=none` is kept.
 * @returns the token that opens the HTTP API, and the variables of an instance
 */
function accessFrom(environment: NodeJS.ProcessEnv): [string, Record<string, string>] {
  const [given = ''] = (environment[names.serviceToken] ?? '').split(',');
  const serviceToken = given || randomSecret();
  const variables = { [names.serviceToken]: environment[names.serviceToken] || serviceToken };
  if (environment[names.auth] === 'none') return [serviceToken, variables];
  return [
    serviceToken,
    {
      ...variables,
      [names.authSecret]: environment[names.authSecret] || randomSecret(),
      [names.guests]: environment[names.guests] ?? 'true',
    },
  ];
}

function randomSecret(): string {
  return randomBytes(32).toString('hex');
}
