import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { paths } from '../../../app/names.ts';
import { type ApiKey, liveKitEnvironment, secretEnvironment } from '../../../livekit/config/environment.ts';
import { type LiveKitPorts, liveKitPaths, portsOfNode } from '../../../livekit/config/ports.ts';
import type { RedisFacts } from '../../../livekit/config/redis.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import { ManagedProcess } from '../processes/managed-process.ts';
import type { Watchdog } from '../processes/watchdog.ts';
import type { LoadBalancer } from '../proxy/load-balancer.ts';
import type { Rule } from '../proxy/rules.ts';
import type { RedisLogin } from '../redis/redis.ts';

export interface LiveKitNodesOptions {
  /** The server's program. */
  readonly binary: string;
  /** How many of them run. */
  readonly nodes: number;
  readonly key: ApiKey;
  /** Their way into the server through which they share rooms; undefined: there is none. */
  readonly redis: () => RedisLogin | undefined;
  readonly balancer: LoadBalancer;
  /** The load balancer's port. */
  readonly port: () => number;
  readonly watchdog: Watchdog;
  /** Called with each new process before it is started. */
  readonly onProcess: (node: ManagedProcess) => void;
}

const group = 'livekit';
/** A node would wait for its participants without end; a restart here is to show what they do without it. */
const restartGraceMs = 10_000;
/** How long a node that is restarted may keep its WebSockets through the load balancer, in milliseconds. */
const deregistrationDelayMs = 1_000;

/**
 * The load balancer's rule for them. A node answers 406 while it has no Redis, and goes on with its calls; as that meets
 * all nodes at once, it must not take them out. On AWS the check tolerates minutes of it.
 */
export const liveKitRule: Rule = {
  group,
  paths: liveKitPaths,
  healthChecks: { path: '/', matcher: [200, 406], unhealthyThreshold: 10 },
};

/** The LiveKit nodes. Each is a target of the load balancer while its process runs. */
export class LiveKitNodes {
  readonly #options: LiveKitNodesOptions;
  readonly #nodes = new Map<string, ManagedProcess>();

  constructor(options: LiveKitNodesOptions) {
    this.#options = options;
    options.balancer.onHealth((id, health) => {
      if (health === 'healthy') this.#nodes.get(id)?.markReady();
    });
  }

  all(): ManagedProcess[] {
    return [...this.#nodes.values()];
  }

  /** Starts them; without Redis only one, since several would not know each other's rooms. */
  start(): ManagedProcess[] {
    const count = this.#options.redis() ? this.#options.nodes : 1;
    return Array.from({ length: count }, (_, index) => this.#add(index));
  }

  /** Deregisters it, sends SIGTERM and after 10 s SIGKILL; resolves when it is started again. */
  async restart(node: ManagedProcess): Promise<void> {
    node.retire();
    await this.#options.balancer.deregister(node.id, deregistrationDelayMs);
    await node.stop(restartGraceMs);
    await node.startAgain();
  }

  /** Kills them at once: they store nothing, and would wait for participants who are cut off already. */
  async stop(): Promise<void> {
    await Promise.all(this.all().map((node) => node.stop(0)));
  }

  #add(index: number): ManagedProcess {
    const id = `livekit-${index + 1}`;
    const { watchdog, balancer, onProcess } = this.#options;
    const node = new ManagedProcess({ id, kind: 'livekit', watchdog, launch: () => this.#launch(index) });
    this.#nodes.set(id, node);
    node.on('started', () => balancer.register({ id, host: '127.0.0.1', port: node.port as number }, group));
    node.on('gone', () => void balancer.deregister(id, 0));
    onProcess(node);
    void node.start();
    return node;
  }

  async #launch(index: number) {
    const { binary, nodes, key, port: balancerPort } = this.#options;
    const ports = await freeLiveKitPorts(index, nodes);
    const redis = this.#redisFacts();
    const config = renderLiveKit({
      address: { kind: 'loopback' },
      ports,
      ...(redis ? { redis } : {}),
      webhook: { urls: [`http://127.0.0.1:${balancerPort()}${paths.liveKitWebhook}`], apiKey: key.key },
    });
    // It inherits nothing, since LiveKit reads a variable for each of its settings.
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
    const { name: username, password } = redis.user;
    return {
      endpoints: [{ host: 'localhost', port: redis.port }],
      username,
      password,
      tls: true,
      caFile: redis.caFile,
    };
  }
}

/** How many blocks of ports are tried before a start fails. */
const mostBlocks = 50;

/**
 * Finds the ports of the nth node, counted from 0: the usual ones, or those of a later block if another program has one
 * of them.
 * @param blockSize how many nodes have their ports side by side
 * @throws Error when all are taken
 */
async function freeLiveKitPorts(index: number, blockSize: number): Promise<LiveKitPorts> {
  for (let block = 0; block < mostBlocks; block += 1) {
    const ports = portsOfNode(index + block * blockSize);
    if (await allFree(ports)) return ports;
  }
  throw new Error(`no free ports for LiveKit from ${portsOfNode(index).signalling} on`);
}

async function allFree({ signalling, mediaTcp, prometheus, mediaUdp }: LiveKitPorts): Promise<boolean> {
  const [first, last] = mediaUdp;
  const udp = Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  const free = await Promise.all([
    ...[signalling, mediaTcp, prometheus].map(isTcpFree),
    ...udp.map(isUdpFree),
  ]);
  return free.every(Boolean);
}

async function isTcpFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    // On all addresses, since LiveKit receives media on each of them.
    server.listen(port);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

async function isUdpFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.bind(port);
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
