import { useEffect, useState } from 'react';
import { callLocal, type LocalProcess, readLocal } from './local-api.ts';

/** Buttons that add instances, restart all of them, and stop Redis. They work on this machine only. */
export function BreakPanel() {
  const processes = useProcesses();
  const [fault, setFault] = useState<string>();
  const [busy, setBusy] = useState<string>();
  const redis = processes.find(({ kind }) => kind === 'redis');
  const isRunning = redis?.pid !== undefined;
  const act = async (what: string, path: string) => {
    setBusy(what);
    setFault(await callLocal('POST', path));
    setBusy(undefined);
  };
  return (
    <section className="panel" aria-labelledby="break-title">
      <h3 id="break-title">Break things</h3>
      <p className="soft">
        On this machine only. Start the count above, then kill what you like: nothing that was acknowledged
        may be lost.
      </p>
      <div className="line">
        <button type="button" onClick={() => act('add', '/instances')} disabled={busy !== undefined}>
          Add an instance
        </button>
        <button type="button" onClick={() => act('restart', '/restart')} disabled={busy !== undefined}>
          {busy === 'restart' ? 'Restarting one by one…' : 'Rolling restart'}
        </button>
        {redis && (
          <button
            type="button"
            className={isRunning ? 'danger' : undefined}
            onClick={() => act('redis', isRunning ? '/redis/stop' : '/redis/start')}
            disabled={busy !== undefined}
          >
            {isRunning ? 'Stop Redis' : 'Start Redis'}
          </button>
        )}
      </div>
      {fault && <p role="alert">{fault}</p>}
    </section>
  );
}

function useProcesses(): readonly LocalProcess[] {
  const [processes, setProcesses] = useState<readonly LocalProcess[]>([]);
  useEffect(() => {
    const look = async () => setProcesses((await readLocal()) ?? []);
    void look();
    const timer = setInterval(look, 1_000);
    return () => clearInterval(timer);
  }, []);
  return processes;
}
