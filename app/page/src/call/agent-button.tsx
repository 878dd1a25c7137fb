import { useRemoteParticipants } from '@livekit/components-react';
import { useEffect, useState } from 'react';
import { callAgent } from './call-api.ts';

/** A running agent comes within a second or two. After this time, in milliseconds, none does. */
const comesWithinMs = 15_000;

/** Calls the voice agent into the call. */
export function AgentButton({ room }: { readonly room: string }) {
  const isHere = useRemoteParticipants().some(({ isAgent }) => isAgent);
  const [called, setCalled] = useState(false);
  const [fault, setFault] = useState<string>();

  useEffect(() => {
    if (isHere) setFault(undefined);
    if (isHere || !called) return setCalled(false);
    const timer = setTimeout(() => {
      setCalled(false);
      setFault('No agent came: does livekit/agent run?');
    }, comesWithinMs);
    return () => clearTimeout(timer);
  }, [isHere, called]);

  const call = async () => {
    setFault(undefined);
    setCalled(true);
    await callAgent(room).catch((error: Error) => {
      setCalled(false);
      setFault(`Not called: ${error.message}`);
    });
  };
  if (isHere) {
    return (
      <div className="line">
        <p role="status">The voice agent is here: say something.</p>
        {/* LiveKit needs 21 s to see that its process has died; the service asks it. */}
        <button type="button" className="quiet" onClick={call}>
          No answer? Call it again
        </button>
        {fault && <p role="alert">{fault}</p>}
      </div>
    );
  }
  return (
    <div className="line">
      <button type="button" className="quiet" onClick={call} disabled={called}>
        {called ? 'Calling the voice agent…' : 'Call the voice agent'}
      </button>
      {fault && <p role="alert">{fault}</p>}
    </div>
  );
}
