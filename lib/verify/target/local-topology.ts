import { portsOfNode } from '../../../livekit/config/ports.ts';
import { ControlClient } from '../../local/control/client.ts';
import { liveTopologies, stateFolder, type TopologyState } from '../../local/state.ts';
import { within } from '../wait.ts';
import type { Instance, LiveKitControl, LiveKitNode, TopologyControl } from './target.ts';

/** A topology that runs on this machine: `npm start`. */
export interface LocalTopology {
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
  const look = async () => {
    const { processes } = await within(client.state(), longestLookMs, hangs(longestLookMs));
    return processes;
  };
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
    },
    liveKit: {
      nodes: async () => (await look()).filter(({ kind }) => kind === 'livekit').map(nodeOf),
      kill: async (id) => void (await change(client.killLiveKit(id))),
      ...(state.redis ? { redis: state.redis } : {}),
    },
  };
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
