import type { ConnectionState } from '../../../client/hub.ts';
import type { Hub } from './use-hub.ts';

const stateInWords = {
  connecting: 'Connecting…',
  connected: 'Connected',
  degraded: 'Connected; the backplane is away, messages wait',
  reconnecting: 'Connection lost, coming back…',
  expired: 'Your session has ended; asking for a new one…',
  refused: 'The service does not let this page in',
  closed: 'Closed',
} as const satisfies Record<ConnectionState, string>;

export interface ConnectionStatusProps {
  readonly hub: Pick<Hub, 'state' | 'instance'>;
}

/** The connection in words, and who serves it. */
export function ConnectionStatus({ hub: { state, instance } }: ConnectionStatusProps) {
  const isServed = state === 'connected' || state === 'degraded';
  return (
    <p className="status" role="status">
      <span className={`dot ${state}`} aria-hidden="true" />
      {stateInWords[state]}
      {isServed && instance && (
        <>
          {' · served by '}
          <strong data-testid="instance">{instance}</strong>
        </>
      )}
    </p>
  );
}
