import { type FormEvent, useState } from 'react';
import type { CallParticipant } from '../../../protocol/calls.ts';
import { Person } from '../people/person.tsx';

/** The devices with which this window joins a call. */
export interface Devices {
  readonly microphone: boolean;
  readonly camera: boolean;
}

export interface CallEntryProps {
  readonly participants: readonly CallParticipant[];
  readonly self: string | undefined;
  /** @returns undefined if the call was joined, else the reason */
  readonly onJoin: (devices: Devices) => Promise<string | undefined>;
}

const mostShown = 12;

/** The form to join the call. It shows who is in the call, and which devices to join with. */
export function CallEntry({ participants, self, onJoin }: CallEntryProps) {
  const [devices, setDevices] = useState<Devices>({ microphone: true, camera: true });
  const [joining, setJoining] = useState(false);
  const [fault, setFault] = useState<string>();
  // Browsers give no camera to pages without HTTPS.
  const mayCapture = navigator.mediaDevices !== undefined;
  const join = async (event: FormEvent) => {
    event.preventDefault();
    setJoining(true);
    const refused = await onJoin(mayCapture ? devices : { microphone: false, camera: false });
    if (refused === undefined) return;
    setFault(refused);
    setJoining(false);
  };
  return (
    <form className="panel notice" onSubmit={join}>
      <h3>{participants.length === 0 ? 'Nobody is in the call' : `In the call: ${participants.length}`}</h3>
      <ul className="line">
        {participants.slice(0, mostShown).map(({ identity, subject, name, agent }) => (
          <li key={identity}>
            <Person subject={agent ? 'Voice agent' : (name ?? subject)} self={subject === self} />
          </li>
        ))}
        {participants.length > mostShown && (
          <li className="soft">and {participants.length - mostShown} more</li>
        )}
      </ul>
      <fieldset className="line" disabled={!mayCapture || joining}>
        <legend>Join with</legend>
        {(['microphone', 'camera'] as const).map((device) => (
          <label key={device}>
            <input
              type="checkbox"
              checked={mayCapture && devices[device]}
              onChange={({ target }) => setDevices({ ...devices, [device]: target.checked })}
            />{' '}
            {device}
          </label>
        ))}
      </fieldset>
      {!mayCapture && (
        <p className="soft">
          This page came without HTTPS, so the browser gives it no camera and no microphone. You can watch and
          listen.
        </p>
      )}
      <button type="submit" disabled={joining}>
        {joining ? 'Joining…' : 'Join the call'}
      </button>
      {fault && <p role="alert">{fault}</p>}
    </form>
  );
}
