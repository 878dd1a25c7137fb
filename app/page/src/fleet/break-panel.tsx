import { useState } from 'react';
import { callLocal, type LocalTopology } from './local-api.ts';
import { ShardList } from './shard-list.tsx';

/** Buttons that add instances, restart all of them, and stop Redis. They work on this machine only. */
export function BreakPanel({ topology: { processes, shards } }: { readonly topology: LocalTopology }) {
  const [fault, setFault] = useState<string>();
  const [busy, setBusy] = useState<string>();
  const redis = processes.filter(({ kind, id }) => kind === 'redis' && id !== 'redis-livekit');
  const isRunning = redis.some(({ pid }) => pid !== undefined);
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
        {redis.length > 0 && (
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
      {shards.length > 0 && <ShardList shards={shards} act={act} isBusy={busy !== undefined} />}
      {fault && <p role="alert">{fault}</p>}
    </section>
  );
}
