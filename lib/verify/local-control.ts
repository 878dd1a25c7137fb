import { ControlClient } from '../local/control-client.ts';
import type { TopologyState } from '../local/state.ts';
import type { Instance, TopologyControl } from './target.ts';

/** The control of a topology that runs on this machine. */
export function localControl(state: Pick<TopologyState, 'control'>): TopologyControl {
  const client = new ControlClient(state.control);
  return {
    instances: async () => {
      const { parts } = await client.state();
      return parts.filter(({ kind }) => kind === 'instance').map(instanceOf);
    },
    add: async () => (await client.addInstance()).id,
    remove: async (id) => {
      await client.removeInstance(id);
    },
    kill: async (id) => {
      await client.killInstance(id);
    },
  };
}

type Part = Awaited<ReturnType<ControlClient['state']>>['parts'][number];

function instanceOf({ id, pid, port, health }: Part): Instance {
  return {
    id,
    ...(pid === undefined ? {} : { pid }),
    ...(port === undefined ? {} : { url: `http://127.0.0.1:${port}` }),
    serving: pid !== undefined && health === 'healthy',
  };
}
