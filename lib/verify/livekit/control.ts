import { portsOfNode } from '../../../livekit/config/ports.ts';
import { ControlClient } from '../../local/control-client.ts';
import type { TopologyState } from '../../local/state.ts';

/** A LiveKit node as whoever runs it sees it. */
export interface LiveKitNode {
  readonly id: string;
  /** Absent while it is down. */
  readonly pid?: number;
  /** Where it answers alone, past the proxy: `ws://…`; absent while it is down. */
  readonly url?: string;
  readonly metricsUrl?: string;
  /** It is up and the proxy sends it clients. */
  readonly serving: boolean;
}

/** The LiveKit nodes of a running topology, and the power over them. */
export interface LiveKitControl {
  nodes(): Promise<readonly LiveKitNode[]>;
  /** SIGKILL; whoever runs it starts it again. */
  kill(id: string): Promise<void>;
  /** The Redis that they share, for one who may read all of it; absent where there is none. */
  readonly redis?: { readonly url: string; readonly caFile: string };
}

/** Of a topology that runs on this machine. */
export function localLiveKit({ control, redis }: Pick<TopologyState, 'control' | 'redis'>): LiveKitControl {
  const client = new ControlClient(control);
  return {
    nodes: async () => (await client.state()).parts.filter(({ kind }) => kind === 'livekit').map(nodeOf),
    kill: async (id) => {
      await client.killLiveKit(id);
    },
    ...(redis ? { redis } : {}),
  };
}

type Part = Awaited<ReturnType<ControlClient['state']>>['parts'][number];

function nodeOf({ id, pid, port, health }: Part): LiveKitNode {
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
