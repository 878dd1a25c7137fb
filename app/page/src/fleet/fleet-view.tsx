import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { BreakPanel } from './break-panel.tsx';
import { InstanceCard } from './instance-card.tsx';
import { useIsLocal } from './local-api.ts';
import { MeterPanel } from './meter-panel.tsx';
import { useInstances } from './use-instances.ts';

/** The instances, who serves this window, and on a laptop the means to break them. */
export function FleetView() {
  const hub = useHub('fleet');
  const instances = useInstances(hub.client);
  const isLocal = useIsLocal();
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
            isLocal={isLocal}
          />
        ))}
      </ul>
      <MeterPanel />
      {isLocal && <BreakPanel />}
    </section>
  );
}
