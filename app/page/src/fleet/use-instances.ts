import { useEffect, useState } from 'react';
import type { ClientHub } from '../../../client/hub.ts';
import type { CountedInstance, InstancesAnswer } from '../../../protocol/fleet.ts';

const everyMs = 1_000;

/** Which instances there are now, and how many clients each has. */
export function useInstances(hub: ClientHub | undefined): readonly CountedInstance[] {
  const [instances, setInstances] = useState<readonly CountedInstance[]>([]);
  useEffect(() => {
    if (!hub) return;
    const look = async () => {
      if (!hub.socket.connected) return;
      const answer = await hub.call<InstancesAnswer>('instances', {}).catch(() => undefined);
      if (answer) setInstances(answer.instances);
    };
    const timer = setInterval(look, everyMs);
    hub.socket.on('connect', look);
    return () => {
      clearInterval(timer);
      hub.socket.off('connect', look);
    };
  }, [hub]);
  return instances;
}
