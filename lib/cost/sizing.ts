import { defaultRetention } from '../../app/server/rooms/log/retention.ts';
import { connectionsPerVcpu, smallCache } from '../config/groups.ts';
import { mostCacheNodes } from '../config/sizes.ts';
import { capacity } from './measured.ts';
import { cacheNodes, instances, prices } from './prices.ts';

/** The load that a deployment is to carry. */
export interface Load {
  /** Connections at the same time. */
  readonly connections: number;
  /** Publishes a second, in all rooms together. */
  readonly publishes: number;
  /** Average number of members of a room. Each of them receives every publish. */
  readonly audience: number;
  /** Participants of calls at the same time, who all send and receive video. */
  readonly participants: number;
}

/** The share of CPU and memory that a plan uses. The rest is reserve. */
export const use = { cpu: 0.6, memory: 0.7 } as const;

/** After the loss of a task, all clients reconnect within this time, while the load itself goes on. */
const stormSeconds = 30;

/** A task of the preset prod: vCPUs, memory, and the memory that is left when the process has started. */
export const task = { vCpus: 1, gb: 2, freeBytes: 1_600e6 } as const;
const leastTasks = 2;

/** A message of 500 bytes with what Redis and the log add to it, for as long as a log keeps it by default. */
const bytesInLog = 900;
const logSeconds = defaultRetention.maxAgeMs / 1_000;
/** A room that is used: its meta and the structure of its log (app/server/rooms/README.md). */
const bytesOfRoom = 5_700;

/** ElastiCache reserves a quarter of the memory (`reserved-memory-percent`). */
const usableShare = 0.75;
/** A burstable node that earns no credits has a tenth of a vCPU. */
const burstableCpu = 0.1;

/** LiveKit's published benchmark: 150 participants with video in one room at 85% of 16 vCPUs. */
const participantsPerCpu = (150 / 16 / 0.85) * use.cpu;
const liveKitInstance = 'c7g.xlarge';

/** Of two shards none is a majority. */
const leastShards = 3;

export interface Size {
  readonly what: string;
  readonly count: number;
  /** The need that decides the count. */
  readonly because: string;
  /** Dollars a month for all of them. */
  readonly monthly: number;
}

/** A message as it is sent, with the overhead of WebSocket, TLS and TCP. */
const bytesOut = 600;
const secondsAnHour = 3_600;

/** What one capacity unit of the load balancer covers: connections, and GB an hour. */
const capacityUnit = { connections: 3_000, gbHour: 1 } as const;

/** The resources that a load needs, and what they cost if it lasts all month. */
export function sizeOf(load: Load): readonly Size[] {
  const cache = cacheFor(load);
  return [
    tasksFor(load),
    cache,
    ...liveKitFor(load),
    ...(load.participants > 0 && cache.count > 2 ? [liveKitCache()] : []),
    ...trafficOf(load),
  ];
}

function trafficOf({ connections, publishes, audience }: Load): Size[] {
  const gbHour = (publishes * audience * bytesOut * secondsAnHour) / 1e9;
  const units = Math.max(connections / capacityUnit.connections, gbHour / capacityUnit.gbHour);
  return [
    {
      what: 'load balancer capacity units',
      count: units,
      because: `${capacityUnit.connections} connections or ${capacityUnit.gbHour} GB an hour each`,
      monthly: units * prices.capacityUnitHour * prices.hoursAMonth,
    },
    {
      what: 'GB of messages out',
      count: gbHour * prices.hoursAMonth,
      because: `${bytesOut} bytes each, if it goes on all month; without the media of calls`,
      monthly: gbHour * prices.hoursAMonth * prices.egressGb,
    },
  ];
}

function tasksFor({ connections, publishes, audience }: Load): Size {
  const deliveries = publishes * audience * capacity.deliveryCpuSeconds;
  const storm = (connections * capacity.handshakeCpuSeconds) / stormSeconds;
  const needs = {
    'CPU of deliveries': deliveries / (task.vCpus * use.cpu),
    'CPU of all clients reconnecting': (deliveries + storm) / task.vCpus,
    'memory of connections': (connections * capacity.connectionBytes) / (task.freeBytes * use.memory),
    // The default target of the scaling policy.
    'connections of a task': connections / (task.vCpus * connectionsPerVcpu),
    'the loss of one': leastTasks - 1,
  };
  const [because, most] = Object.entries(needs).sort(([, one], [, other]) => other - one)[0] as [
    string,
    number,
  ];
  // One more than the load needs, so that the others can carry it while one is missing.
  const count = Math.ceil(most) + 1;
  const { vCpuHour, gbHour } = prices.fargate.ARM64;
  return {
    what: `tasks of ${task.vCpus} vCPU and ${task.gb} GB`,
    count,
    because,
    monthly: count * prices.hoursAMonth * (task.vCpus * vCpuHour + task.gb * gbHour),
  };
}

/** Redis runs commands on one thread, so more vCPUs do not help it. */
const threadOf = (nodeType: string) => (nodeType.startsWith('cache.t') ? burstableCpu : use.cpu);
const usableBytes = ({ gib }: { readonly gib: number }) => gib * 2 ** 30 * usableShare * use.memory;

/** One node with a replica, or as many shards of them as the load needs. */
function cacheFor(load: Load): Size {
  const { connections, publishes, audience } = load;
  const cpu = publishes * capacity.publishCpuSeconds;
  const bytes = publishes * logSeconds * bytesInLog + (connections / audience) * bytesOfRoom;
  const fits = Object.entries(cacheNodes)
    .sort(([, one], [, other]) => one.hour - other.hour)
    .find(([name, node]) => cpu <= threadOf(name) && bytes <= usableBytes(node));
  if (!fits) return shardsFor(load, bytes);
  const [name, node] = fits;
  return {
    what: name,
    count: 2,
    because: `${needOf(cpu, bytes)}, and a replica`,
    monthly: 2 * node.hour * prices.hoursAMonth,
  };
}

const needOf = (cpu: number, bytes: number) =>
  `${Math.round(cpu * 100)}% of Redis's thread, ${Math.ceil(bytes / 1e6)} MB`;

/** @param bytes of the logs of all rooms, which are spread evenly over the shards */
function shardsFor({ publishes }: Load, bytes: number): Size {
  const cpu = publishes * capacity.shardPublishCpuSeconds;
  const [cheapest] = Object.entries(cacheNodes)
    // The credits of a burstable node don't carry a load that one node can't.
    .filter(([name]) => !name.startsWith('cache.t'))
    .map(([name, node]) => {
      const shards = Math.max(leastShards, Math.ceil(cpu / use.cpu), Math.ceil(bytes / usableBytes(node)));
      return { name, shards, monthly: 2 * shards * node.hour * prices.hoursAMonth };
    })
    .filter(({ shards }) => 2 * shards <= mostCacheNodes)
    .sort((one, other) => one.monthly - other.monthly);
  const need = needOf(cpu, bytes);
  if (!cheapest)
    return {
      what: 'no cluster carries this',
      count: 0,
      because: `${need}, in ${mostCacheNodes} nodes at most: split it into deployments`,
      monthly: 0,
    };
  const { name, shards, monthly } = cheapest;
  return {
    what: `${name} in ${shards} shards`,
    count: 2 * shards,
    because: `${need} over all of them, each with a replica; no room alone may need more than one shard has`,
    monthly,
  };
}

/** LiveKit can't use a cluster. */
function liveKitCache(): Size {
  const { hour } = cacheNodes[smallCache] as (typeof cacheNodes)[string];
  return {
    what: `${smallCache} of LiveKit`,
    count: 2,
    because: 'its scripts reach over slots, so it has a cache of its own beside shards',
    monthly: 2 * hour * prices.hoursAMonth,
  };
}

function liveKitFor({ participants }: Load): Size[] {
  if (participants === 0) return [];
  const { hour, cpus } = instances[liveKitInstance] as (typeof instances)[string];
  // One more than the load needs, and at least two: if a node dies, its calls move to another one.
  const count = Math.ceil(participants / (participantsPerCpu * cpus)) + 1;
  return [
    {
      what: `LiveKit on ${liveKitInstance}`,
      count,
      because: `${Math.floor(participantsPerCpu * cpus)} participants with video a node (LiveKit's own benchmark)`,
      monthly:
        count * (hour + prices.publicAddressHour) * prices.hoursAMonth + count * 30 * prices.diskGbMonth,
    },
  ];
}
