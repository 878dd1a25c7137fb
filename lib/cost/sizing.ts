import { cacheNodes, instances, prices } from './prices.ts';

/** What a deployment is to carry. */
export interface Load {
  /** Connections at once. */
  readonly connections: number;
  /** Publishes a second, over all rooms. */
  readonly publishes: number;
  /** Members of a room, on average: each publish is delivered to so many. */
  readonly audience: number;
  /** Participants of calls at once, who all send and receive video. */
  readonly participants: number;
}

/** Costs of one thing each, as `npm run bench` measured them (README, "Measured beside its peers"). */
export const measured = {
  /** Seconds of CPU of the service. */
  delivery: 14.6e-6,
  handshake: 0.41e-3,
  /** Bytes of memory of a connection that is idle. */
  connection: 15_500,
  /** Seconds of CPU of Redis. */
  publish: 50.9e-6,
} as const;

/** What a plan leaves free. */
const use = { cpu: 0.6, memory: 0.7 } as const;

/** All clients come back within so many seconds after the loss of a task, beside the load itself. */
const stormSeconds = 30;

/** A task of the preset prod: CPUs, and MB of memory less what the process takes before the first client. */
const task = { vCpus: 1, gb: 2, freeBytes: 1_600e6 } as const;
const leastTasks = 2;

/** A message of 500 bytes with what Redis and the log add to it, for the ten minutes that a log reaches back. */
const bytesInLog = 900;
const logSeconds = 600;
/** A room that is used: meta and the log's own structure (app/server/rooms/README.md). */
const bytesOfRoom = 5_700;

/** ElastiCache keeps a quarter for itself (`reserved-memory-percent`). */
const usableShare = 0.75;
/** A burstable node that earns no credits has a tenth of a processor. */
const burstableCpu = 0.1;

/** LiveKit's published benchmark: 150 participants with video in one room at 85% of 16 processors. */
const participantsPerCpu = (150 / 16 / 0.85) * use.cpu;
const liveKitInstance = 'c7g.xlarge';

export interface Size {
  readonly what: string;
  readonly count: number;
  /** What asks for so many. */
  readonly because: string;
  /** Dollars a month for all of them. */
  readonly monthly: number;
}

/** A message as it leaves, with what WebSocket, TLS and TCP add to it. */
const bytesOut = 600;
const secondsAnHour = 3_600;

/** What one capacity unit of the load balancer takes: connections, and GB an hour. */
const capacityUnit = { connections: 3_000, gbHour: 1 } as const;

/** How many of what a load takes, if it lasts all month, and what that costs. */
export function sizeOf(load: Load): readonly Size[] {
  return [tasksFor(load), nodesFor(load), ...liveKitFor(load), ...trafficOf(load)];
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
  const deliveries = publishes * audience * measured.delivery;
  const storm = (connections * measured.handshake) / stormSeconds;
  const needs = {
    'CPU of deliveries': deliveries / (task.vCpus * use.cpu),
    'CPU of all clients coming back': (deliveries + storm) / task.vCpus,
    'memory of connections': (connections * measured.connection) / (task.freeBytes * use.memory),
    // The scaling policy's target.
    'connections of a task': connections / 5_000,
    'the loss of one': leastTasks - 1,
  };
  const [because, most] = Object.entries(needs).sort(([, one], [, other]) => other - one)[0] as [
    string,
    number,
  ];
  // One more than the load takes: the others carry it while one is away.
  const count = Math.ceil(most) + 1;
  const { vCpuHour, gbHour } = prices.fargate.ARM64;
  return {
    what: `tasks of ${task.vCpus} vCPU and ${task.gb} GB`,
    count,
    because,
    monthly: count * prices.hoursAMonth * (task.vCpus * vCpuHour + task.gb * gbHour),
  };
}

function nodesFor({ connections, publishes, audience }: Load): Size {
  const cpu = publishes * measured.publish;
  const bytes = publishes * logSeconds * bytesInLog + (connections / audience) * bytesOfRoom;
  const fits = Object.entries(cacheNodes)
    .sort(([, one], [, other]) => one.hour - other.hour)
    .find(([name, node]) => {
      // Commands run on one thread: more processors don't help it.
      const oneThread = name.startsWith('cache.t') ? burstableCpu : use.cpu;
      return cpu <= oneThread && bytes <= node.gib * 2 ** 30 * usableShare * use.memory;
    });
  const said = `${Math.round(cpu * 100)}% of Redis's thread, ${Math.ceil(bytes / 1e6)} MB`;
  if (!fits)
    return {
      what: 'no node carries this',
      count: 0,
      because: `${said}: split it into deployments`,
      monthly: 0,
    };
  const [name, node] = fits;
  return { what: name, count: 2, because: said, monthly: 2 * node.hour * prices.hoursAMonth };
}

function liveKitFor({ participants }: Load): Size[] {
  if (participants === 0) return [];
  const { hour, cpus } = instances[liveKitInstance] as (typeof instances)[string];
  // One more than the load takes, and two at least: calls move to another node when one dies.
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
