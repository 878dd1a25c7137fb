import type { ConnectionState } from '../../../client/state.ts';
import type { Hub } from './use-hub.ts';

const stateInWords = {
  connecting: 'Connecting…',
  connected: 'Connected',
  degraded: 'Connected; the backplane is away, messages wait',
  reconnecting: 'Connection lost, coming back…',
  refused: 'The service does not let this page in',
  closed: 'Closed',
} as const satisfies Record<ConnectionState, string>;

/** The connection in words, and who serves it. */
export function ConnectionStatus({ hub: { state, instance } }: { readonly hub: Hub }) {
  return (
    <p className="status" role="status">
      <span className={`dot ${state}`} aria-hidden="true" />
      {stateInWords[state]}
      {instance && (
        <>
          {' · served by '}
          <strong data-testid="instance">{instance}</strong>
        </>
      )}
    </p>
  );
}
