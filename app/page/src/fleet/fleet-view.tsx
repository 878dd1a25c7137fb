import { useEffect, useState } from 'react';
import type { ClientHub } from '../../../client/hub.ts';
import type { CountedInstance, InstancesReply } from '../../../protocol/fleet.ts';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { BreakPanel } from './break-panel.tsx';
import { callLocal, useLocalTopology } from './local-api.ts';
import { MeterPanel } from './meter-panel.tsx';

/** The instances, which of them serves this window, and on a laptop buttons to break them. */
export function FleetView() {
  const hub = useHub('fleet');
  const instances = useInstances(hub.client);
  const topology = useLocalTopology();
  const most = Math.max(1, ...instances.map(({ connections }) => connections));
  return (
    <section aria-labelledby="fleet-title">
      <div className="view-head">
        <h2 id="fleet-title">Instances</h2>
        <ConnectionStatus hub={hub} />
      </div>
      {hub.state === 'refused' && (
        <p className="soft">The map of instances is shown where the service takes guests.</p>
      )}
      <ul className="instances">
        {instances.map((each) => (
          <InstanceCard
            key={each.instance}
            instance={each}
            share={each.connections / most}
            servesYou={each.instance === hub.instance}
            isLocal={topology !== undefined}
          />
        ))}
      </ul>
      <MeterPanel shards={topology?.shards.length ?? 0} />
      {topology && <BreakPanel topology={topology} />}
    </section>
  );
}

interface InstanceCardProps {
  readonly instance: CountedInstance;
  /** Its clients as a share of those of the fullest instance, 0–1. */
  readonly share: number;
  readonly servesYou: boolean;
  readonly isLocal: boolean;
}

function InstanceCard({ instance, share, servesYou, isLocal }: InstanceCardProps) {
  const { instance: id, connections, draining, shards } = instance;
  const [fault, setFault] = useState<string>();
  const act = async (what: 'drain' | 'kill') => setFault(await callLocal('POST', `/instances/${id}/${what}`));
  return (
    <li className={servesYou ? 'instance yours' : 'instance'}>
      <p className="by">
        <strong>{id}</strong>
        {servesYou && <span className="tag">serves you</span>}
        {draining && <span className="tag warn">draining</span>}
        {shards && (
          <span className={shards.joined < shards.of ? 'tag warn' : 'tag'}>
            {shards.joined} of {shards.of} shards
          </span>
        )}
      </p>
      <p className="count">
        {connections} <span className="soft">{connections === 1 ? 'client' : 'clients'}</span>
      </p>
      <div className="bar" aria-hidden="true">
        <div style={{ inlineSize: `${share * 100}%` }} />
      </div>
      {isLocal && (
        <div className="line">
          <button type="button" className="quiet" onClick={() => act('drain')} disabled={draining}>
            Drain
          </button>
          <button type="button" className="quiet danger" onClick={() => act('kill')}>
            Kill
          </button>
        </div>
      )}
      {fault && <p role="alert">{fault}</p>}
    </li>
  );
}

const everyMs = 1_000;

/** The current instances, with the number of clients of each. */
function useInstances(hub: ClientHub | undefined): readonly CountedInstance[] {
  const [instances, setInstances] = useState<readonly CountedInstance[]>([]);
  useEffect(() => {
    if (!hub) return;
    const look = async () => {
      if (!hub.socket.connected) return;
      const answer = await hub.call<InstancesReply>('instances', {}).catch(() => undefined);
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
