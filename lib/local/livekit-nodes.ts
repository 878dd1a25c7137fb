import { paths } from '../../app/names.ts';
import { type ApiKey, liveKitEnvironment, secretEnvironment } from '../../livekit/config/environment.ts';
import { liveKitPaths } from '../../livekit/config/ports.ts';
import type { RedisFacts } from '../../livekit/config/redis.ts';
import { renderLiveKit } from '../../livekit/config/render.ts';
import type { Guard } from './guard.ts';
import { freeLiveKitPorts } from './livekit-ports.ts';
import { Part } from './part.ts';
import type { LoadBalancer } from './proxy/load-balancer.ts';
import type { Rule } from './proxy/rules.ts';
import type { RedisServer } from './redis-server.ts';

export interface LiveKitNodesOptions {
  /** The server's program. */
  readonly binary: string;
  /** How many there are to be. */
  readonly nodes: number;
  readonly key: ApiKey;
  /** Through which they share rooms; undefined: there is none. */
  readonly redis: () => RedisServer | undefined;
  readonly balancer: LoadBalancer;
  /** The load balancer's port. */
  readonly port: () => number;
  readonly guard: Guard;
  /** Told of each new part before it is started. */
  readonly onPart: (part: Part) => void;
}

const group = 'livekit';
/** A node waits for its participants without end; here it is a test of what they do without it. */
const restartGraceMs = 10_000;
/** WebSockets through the load balancer that a node may keep so long when it is restarted. */
const deregistrationDelayMs = 1_000;

/**
 * The load balancer's rule for them. A node says 406 while it has no Redis, which is all of them at once, and goes on
 * with its calls; on AWS the check has a tolerance of minutes.
 */
export const liveKitRule: Rule = {
  group,
  paths: liveKitPaths,
  healthChecks: { path: '/', matcher: [200, 406], unhealthyThreshold: 10 },
};

/** The LiveKit nodes: each is a part, and a target of the load balancer while its process runs. */
export class LiveKitNodes {
  readonly #options: LiveKitNodesOptions;
  readonly #parts = new Map<string, Part>();

  constructor(options: LiveKitNodesOptions) {
    this.#options = options;
    options.balancer.onHealth((id, health) => {
      if (health === 'healthy') this.#parts.get(id)?.markReady();
    });
  }

  all(): Part[] {
    return [...this.#parts.values()];
  }

  /** Starts them. Without Redis one, for several would not know each other's rooms. */
  start(): Part[] {
    const count = this.#options.redis() ? this.#options.nodes : 1;
    return Array.from({ length: count }, (_, index) => this.#add(index));
  }

  /** Out of the load balancer, SIGTERM, and after 10 s SIGKILL; resolves when it is started again. */
  async restart(part: Part): Promise<void> {
    part.retire();
    await this.#options.balancer.deregister(part.id, deregistrationDelayMs);
    await part.stop(restartGraceMs);
    await part.startAgain();
  }

  /** At once: they keep nothing, and would wait for participants who are cut off already. */
  async stop(): Promise<void> {
    await Promise.all(this.all().map((part) => part.stop(0)));
  }

  #add(index: number): Part {
    const id = `livekit-${index + 1}`;
    const { guard, balancer, onPart } = this.#options;
    const part = new Part({ id, kind: 'livekit', guard, launch: () => this.#launch(index) });
    this.#parts.set(id, part);
    part.on('started', () => balancer.register({ id, host: '127.0.0.1', port: part.port as number }, group));
    part.on('gone', () => void balancer.deregister(id, 0));
    onPart(part);
    void part.start();
    return part;
  }

  async #launch(index: number) {
    const { binary, nodes, key, port: balancerPort } = this.#options;
    const ports = await freeLiveKitPorts(index, nodes);
    const redis = this.#redisFacts();
    const config = renderLiveKit({
      address: { kind: 'loopback' },
      ports,
      ...(redis ? { redis } : {}),
      webhook: { urls: [`http://127.0.0.1:${balancerPort()}${paths.livekitWebhook}`], apiKey: key.key },
    });
    // Nothing is inherited: LiveKit reads a variable for each of its settings.
    const env = {
      PATH: process.env.PATH,
      [liveKitEnvironment.config]: config,
      ...secretEnvironment([key], redis),
    };
    return { command: binary, args: [], env, port: ports.signalling };
  }

  #redisFacts(): RedisFacts | undefined {
    const redis = this.#options.redis();
    if (!redis) return undefined;
    const { name: username, password } = redis.users.liveKit;
    return {
      endpoints: [{ host: 'localhost', port: redis.port }],
      username,
      password,
      tls: true,
      caFile: redis.caFile,
    };
  }
}
