import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { ManagedProcess } from '../processes/managed-process.ts';
import { freePort } from '../processes/ports.ts';
import type { PrivateFolder, Watchdog } from '../processes/watchdog.ts';
import { type RedisAccess, redisConfiguration, redisLaunch } from './server.ts';
import type { RedisUser } from './users.ts';

/** How nodes and clients of a cluster prove who they are. */
export interface ClusterAccess extends RedisAccess {
  /** By whom replicas log in to their primary; one of the users. */
  readonly replication: RedisUser;
}

export interface ClusterNodeOptions {
  /** Such as `redis-1-2`: the second node of the first shard. */
  readonly id: string;
  /** The shard's number, from 1. */
  readonly shard: number;
  readonly binary: string;
  /** @default no TLS, and nobody logs in */
  readonly access?: ClusterAccess | undefined;
  readonly nodeTimeoutMs: number;
  readonly watchdog: Watchdog;
  /** Takes what the node knows of its cluster. */
  readonly folder: PrivateFolder;
  /** Awaited before each start of its process. */
  readonly beforeStart: (node: ClusterNode) => Promise<void>;
}

/** One line of CLUSTER NODES. */
export interface NodeEntry {
  readonly id: string;
  readonly flags: readonly string[];
  /** The id of its primary; undefined for a primary. */
  readonly primary: string | undefined;
  readonly port: number;
  /** Slots of which it is the owner: first and last, both included. */
  readonly ranges: readonly SlotRange[];
  /** Slots that are half-way to another node, or from one. */
  readonly open: readonly OpenSlot[];
}

export interface OpenSlot {
  readonly slot: number;
  /** It is on its way to the other node; else from there. */
  readonly isLeaving: boolean;
  /** The other node's name in the cluster. */
  readonly other: string;
}

export type SlotRange = readonly [first: number, last: number];

/** A node that does not answer is away, after so many milliseconds. */
const replyMs = 2_000;
const reconnectMs = 100;

/** One server of a cluster: its process, and a connection by which an administrator asks it. */
export class ClusterNode {
  readonly id: string;
  readonly shard: number;
  readonly port: number;
  /** Where other nodes reach it. */
  readonly busPort: number;
  readonly process: ManagedProcess;
  readonly access: ClusterAccess | undefined;
  readonly #redis: Redis;
  #id?: string;

  private constructor(ports: { port: number; busPort: number }, options: ClusterNodeOptions) {
    const { id, shard, binary, access, watchdog, beforeStart } = options;
    this.id = id;
    this.shard = shard;
    this.port = ports.port;
    this.busPort = ports.busPort;
    this.access = access;
    this.#redis = connectionTo(this.port, access);
    const home = join(options.folder.path, id);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const more = clusterLines({ ...options, home, busPort: this.busPort });
    this.process = new ManagedProcess({
      id,
      kind: 'redis',
      watchdog,
      launch: async () => {
        await beforeStart(this);
        return {
          ...redisLaunch(binary, redisConfiguration({ port: this.port, access, more })),
          port: this.port,
        };
      },
    });
    this.process.on('started', () => void this.#redis.connect().catch(() => {}));
  }

  static async create(options: ClusterNodeOptions): Promise<ClusterNode> {
    // A bus at its usual place, 10,000 above, would stand among the ports of outgoing connections.
    const [port, busPort] = await Promise.all([freePort(), freePort()]);
    return new ClusterNode({ port, busPort }, options);
  }

  get isRunning(): boolean {
    return this.process.pid !== undefined;
  }

  /** Runs a command. @throws Error when it is away, or says no */
  call<Reply = string>(command: string, ...args: readonly (string | number)[]): Promise<Reply> {
    return this.#redis.call(command, ...args.map(String)) as Promise<Reply>;
  }

  /** Its own name in the cluster. */
  async myId(): Promise<string> {
    const id = this.#id ?? (await this.call<string>('CLUSTER', 'MYID'));
    this.#id = id;
    return id;
  }

  /** Whether it answers, and says that it is one; it may have been replaced, and not know of it yet. */
  async isPrimary(): Promise<boolean> {
    const [role] = await this.call<string[]>('ROLE').catch(() => []);
    return role === 'master';
  }

  /** What it says of itself. @returns undefined while it does not answer */
  async self(): Promise<NodeEntry | undefined> {
    const entries = await this.entries().catch(() => []);
    return entries.find(({ flags }) => flags.includes('myself'));
  }

  /** The cluster as it knows it. */
  async entries(): Promise<NodeEntry[]> {
    return parseNodes(await this.call('CLUSTER', 'NODES'));
  }

  /** Whether it serves, and as a replica has what its primary has. */
  async isReady(nodes: number): Promise<boolean> {
    try {
      const cluster = await this.call('CLUSTER', 'INFO');
      const replication = await this.call('INFO', 'replication');
      const isLinked = /^role:master/m.test(replication) || /^master_link_status:up/m.test(replication);
      return (
        isLinked &&
        /^cluster_state:ok/m.test(cluster) &&
        /^cluster_slots_ok:16384/m.test(cluster) &&
        Number(/^cluster_known_nodes:(\d+)/m.exec(cluster)?.[1]) === nodes
      );
    } catch {
      return false;
    }
  }

  /** Ends the connection; its process is another matter. */
  disconnect(): void {
    this.#redis.disconnect();
  }
}

function connectionTo(port: number, access: ClusterAccess | undefined): Redis {
  const login = access && {
    username: access.admin.name,
    password: access.admin.password,
    tls: { ca: access.ca, servername: 'localhost' },
  };
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    ...login,
    lazyConnect: true,
    connectTimeout: replyMs,
    commandTimeout: replyMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    protocol: 2,
    retryStrategy: () => reconnectMs,
  });
  redis.on('error', () => {});
  return redis;
}

interface ClusterLines extends Pick<ClusterNodeOptions, 'access' | 'nodeTimeoutMs'> {
  readonly home: string;
  readonly busPort: number;
}

function clusterLines({ access, nodeTimeoutMs, home, busPort }: ClusterLines): string[] {
  return [
    'cluster-enabled yes',
    `cluster-port ${busPort}`,
    `cluster-node-timeout ${nodeTimeoutMs}`,
    `dir "${home}"`,
    // As on ElastiCache: slots without an owner take nothing from the others.
    'cluster-require-full-coverage no',
    // While no majority is there, subscriptions stay and are made again; nothing can be appended, so nothing is missed.
    'cluster-allow-pubsubshard-when-down yes',
    'repl-diskless-sync yes',
    'repl-diskless-sync-delay 0',
    'repl-ping-replica-period 1',
    'shutdown-timeout 0',
    ...(access ? secureLines(access) : []),
  ];
}

function secureLines({ caFile, replication }: ClusterAccess): string[] {
  return [
    'tls-cluster yes',
    'tls-replication yes',
    `tls-ca-cert-file "${caFile}"`,
    `masteruser ${replication.name}`,
    `masterauth ${replication.password}`,
    // Clients are given names, as certificates on AWS are issued for them.
    'cluster-announce-hostname localhost',
    'cluster-preferred-endpoint-type hostname',
  ];
}

/** @param text as CLUSTER NODES answers: `<id> <ip:port@bus[,host]> <flags> <primary> <ping> <pong> <epoch> <link> <slot>…` */
export function parseNodes(text: string): NodeEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', address = '', flags = '', primary = '-', , , , , ...slots] = line.trim().split(' ');
      const owned = slots.filter((slot) => !slot.startsWith('['));
      return {
        id,
        flags: flags.split(','),
        primary: primary === '-' ? undefined : primary,
        port: Number(/:(\d+)@/.exec(address)?.[1]),
        ranges: owned.map((range): SlotRange => {
          const [first, last = first] = range.split('-').map(Number);
          return [first as number, last as number];
        }),
        open: slots.filter((slot) => slot.startsWith('[')).map(openSlot),
      };
    });
}

/** @param text `[93->-<id>]` or `[77-<-<id>]` */
function openSlot(text: string): OpenSlot {
  const [, slot, arrow, other = ''] = /^\[(\d+)-([<>])-(\w+)\]$/.exec(text) ?? [];
  return { slot: Number(slot), isLeaving: arrow === '>', other };
}
