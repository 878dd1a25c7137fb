import type { ChosenProtocol, Protocol } from './protocol.ts';

const names = { socketio: 'Socket.IO', signalr: 'SignalR' } as const satisfies Record<Protocol, string>;

/** The switch between the protocols. A window keeps its user and its room. */
export function ProtocolChoice({ chosen }: { readonly chosen: ChosenProtocol }) {
  return (
    <fieldset className="choice">
      <legend>Protocol</legend>
      {(['socketio', 'signalr'] as const).map((protocol) => (
        <label key={protocol}>
          <input
            type="radio"
            name="protocol"
            checked={protocol === chosen.protocol}
            onChange={() => chosen.choose(protocol)}
          />{' '}
          {names[protocol]}
        </label>
      ))}
    </fieldset>
  );
}
