import { useState } from 'react';
import { callLocal, useIsLocal } from '../fleet/local-api.ts';

export interface LocalJobsProps {
  readonly hub: string;
  readonly room: string;
}

/** On a laptop the topology plays the backend: it feeds the room through the same HTTP API. */
export function LocalJobs({ hub, room }: LocalJobsProps) {
  const isLocal = useIsLocal();
  const [fault, setFault] = useState<string>();
  if (!isLocal) return null;
  const run = async () => setFault(await callLocal('POST', `/jobs/${hub}?room=${encodeURIComponent(room)}`));
  return (
    <>
      <button type="button" onClick={run}>
        Run a sample job
      </button>
      {fault && <p role="alert">{fault}</p>}
    </>
  );
}
