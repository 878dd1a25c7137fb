import { useState } from 'react';
import type { CountedInstance } from '../../../protocol/fleet.ts';
import { callLocal } from './local-api.ts';

export interface InstanceCardProps {
  readonly instance: CountedInstance;
  /** Of the instance with the most clients, 0–1. */
  readonly share: number;
  readonly servesYou: boolean;
  readonly isLocal: boolean;
}

export function InstanceCard({ instance, share, servesYou, isLocal }: InstanceCardProps) {
  const { instance: id, connections, draining } = instance;
  const [fault, setFault] = useState<string>();
  const act = async (what: 'drain' | 'kill') => setFault(await callLocal('POST', `/instances/${id}/${what}`));
  return (
    <li className={servesYou ? 'instance yours' : 'instance'}>
      <p className="by">
        <strong>{id}</strong>
        {servesYou && <span className="tag">serves you</span>}
        {draining && <span className="tag warn">draining</span>}
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
