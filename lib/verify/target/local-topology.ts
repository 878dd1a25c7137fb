import { portsOfNode } from '../../../livekit/config/ports.ts';
import { ControlClient } from '../../local/control/client.ts';
import { liveTopologies, stateFolder, type TopologyState } from '../../local/state.ts';
import { UsageError } from '../errors.ts';
import { within } from '../wait.ts';
import type { Instance, LiveKitControl, LiveKitNode, Target, TopologyControl } from './target.ts';

/** A topology that runs on this machine: `npm start`. */
interface LocalTopology {
  readonly url: string;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly serviceToken?: string;
  readonly control: TopologyControl;
  readonly liveKit: LiveKitControl;
}

/** Where topologies on this machine keep their state files: `.local` in the project's root. */
export const defaultStateFolder = stateFolder;

/** The topologies that run here, the youngest first. @param folder of their state files */
export async function localTopologies(folder: string): Promise<readonly LocalTopology[]> {
  return (await liveTopologies(folder)).map(topologyOf);
}

/** If the control does not answer within this time, in milliseconds, it hangs. */
const longestLookMs = 10_000;
/** The same for requests that start, drain or end a process. */
const longestChangeMs = 60_000;

function topologyOf(state: TopologyState): LocalTopology {
  const client = new ControlClient(state.control);
  const ask = () => within(client.state(), longestLookMs, hangs(longestLookMs));
  const look = async () => (await ask()).processes;
  const change = <T>(work: Promise<T>) => within(work, longestChangeMs, hangs(longestChangeMs));
  return {
    url: state.url,
    startedAt: state.startedAt,
    ...(state.serviceToken === undefined ? {} : { serviceToken: state.serviceToken }),
    control: {
      instances: async () => (await look()).filter(({ kind }) => kind === 'instance').map(instanceOf),
      add: async () => (await change(client.addInstance())).id,
      remove: async (id) => void (await change(client.removeInstance(id))),
      kill: async (id) => void (await change(client.killInstance(id))),
      shards: async () => (await ask()).shards ?? [],
    },
    liveKit: {
      nodes: async () => (await look()).filter(({ kind }) => kind === 'livekit').map(nodeOf),
      kill: async (id) => void (await change(client.killLiveKit(id))),
      ...redisOf(state),
    },
  };
}

function redisOf({ redis, liveKitRedis = redis }: TopologyState): Pick<LiveKitControl, 'redis'> {
  return liveKitRedis ? { redis: liveKitRedis } : {};
}

function hangs(ms: number): string {
  return `the topology's control did not answer within ${ms / 1_000} s`;
}

type ProcessStatus = Awaited<ReturnType<ControlClient['state']>>['processes'][number];

function instanceOf({ id, pid, port, health }: ProcessStatus): Instance {
  return {
    id,
    ...(pid === undefined ? {} : { pid }),
    ...(port === undefined ? {} : { url: `http://127.0.0.1:${port}` }),
    serving: pid !== undefined && health === 'healthy',
  };
}

function nodeOf({ id, pid, port, health }: ProcessStatus): LiveKitNode {
  return {
    id,
    ...(pid === undefined ? {} : { pid }),
    ...(port === undefined
      ? {}
      : {
          url: `ws://127.0.0.1:${port}`,
          metricsUrl: `http://127.0.0.1:${portsOfNode(0, port).prometheus}/metrics`,
        }),
    serving: pid !== undefined && health === 'healthy',
  };
}

interface TargetOptions {
  /** @default the one topology that runs on this machine */
  readonly url?: string | undefined;
  readonly instances?: number | undefined;
  readonly serviceToken?: string | undefined;
}

/**
 * Finds the target: the URL that was given, with control of it if it is a topology on this machine, else the one
 * topology that runs here.
 *
 * @throws UsageError if none runs, or more than one
 */
export function findTarget(
  { url, instances, serviceToken: given }: TargetOptions,
  topologies: readonly LocalTopology[],
): Target {
  const local =
    url === undefined ? only(topologies) : topologies.find((topology) => isSame(topology.url, url));
  const serviceToken = given ?? local?.serviceToken;
  return {
    url: url ?? (local as LocalTopology).url,
    ...(instances === undefined ? {} : { instances }),
    ...(serviceToken === undefined ? {} : { serviceToken }),
    ...(local
      ? { control: local.control, liveKit: local.liveKit }
      : {
          withoutControl: 'it changes the topology, and only one that `npm start` runs here may be changed',
        }),
  };
}

function only(topologies: readonly LocalTopology[]): LocalTopology {
  const [first, ...others] = topologies;
  if (!first) {
    throw new UsageError(
      'No topology answers on this machine. Start one with `npm start` in another terminal (`fg` there if it is suspended), or give --url.',
    );
  }
  if (others.length === 0) return first;
  const lines = topologies.map(({ url, startedAt }) => `  --url ${url}  (since ${startedAt})`);
  throw new UsageError(
    `${topologies.length} topologies run on this machine. Give one of:\n${lines.join('\n')}`,
  );
}

/** `localhost` is 127.0.0.1 here. */
function isSame(one: string, other: string): boolean {
  const plain = (url: string) => new URL(url).origin.replace(/\/\/(localhost|\[::1\])/, '//127.0.0.1');
  return plain(one) === plain(other);
}
