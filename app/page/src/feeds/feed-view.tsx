import { useState } from 'react';
import type { Message } from '../../../protocol/hub.ts';
import { callLocal, useIsLocal } from '../fleet/local-api.ts';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { useRoom } from '../hubs/use-room.ts';

const words = {
  bots: {
    title: 'Bots',
    about: 'What bots say of themselves: a backend publishes over HTTP, everyone here reads.',
    body: '{"status":"running","text":"bought 3 at 101.20"}',
  },
  backtests: {
    title: 'Backtests',
    about: 'Progress and results of long jobs: a worker publishes over HTTP, everyone here reads.',
    body: '{"progress":0.4,"text":"2024-06"}',
  },
} as const;

/** A room to which backends publish. */
export function FeedView({ hub: name }: { readonly hub: keyof typeof words }) {
  const [roomName, setRoomName] = useState('demo');
  const hub = useHub(name);
  const room = useRoom(hub.client, roomName);
  const { title, about, body } = words[name];
  return (
    <section aria-labelledby="feed-title">
      <div className="view-head">
        <h2 id="feed-title">{title}</h2>
        <ConnectionStatus hub={hub} />
      </div>
      <p className="soft">{about}</p>
      <div className="line">
        <label htmlFor="feed-room">Room</label>
        <input
          id="feed-room"
          value={roomName}
          onChange={(event) => setRoomName(event.target.value || 'demo')}
          autoComplete="off"
        />
        <LocalJobs hub={name} room={roomName} />
      </div>
      {room.refused && <p role="alert">{room.refused}</p>}
      {room.lost && <p role="alert">Some updates were lost and can't be shown.</p>}
      {room.messages.length === 0 ? (
        <p className="empty">Nothing yet. Any backend with the service token feeds this room:</p>
      ) : (
        <ol className="updates" aria-live="polite" aria-label="Updates">
          {[...room.messages].reverse().map((message) => (
            <UpdateCard key={`${message.epoch}:${message.offset}`} message={message} />
          ))}
        </ol>
      )}
      <pre className="command">
        {`curl -X POST ${location.origin}/api/hubs/${name}/rooms/${encodeURIComponent(roomName)}/messages \\
  -H "Authorization: Bearer $SERVICE_TOKEN" -H "Content-Type: application/json" \\
  -d '{"body":${body}}'`}
      </pre>
    </section>
  );
}

interface LocalJobsProps {
  readonly hub: string;
  readonly room: string;
}

/** On a laptop the local topology acts as the backend: it publishes to the room through the same HTTP API. */
function LocalJobs({ hub, room }: LocalJobsProps) {
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

/** The updates of the sample jobs. Any other JSON is shown as it is. */
interface Update {
  readonly status?: unknown;
  readonly text?: unknown;
  /** 0–1. */
  readonly progress?: unknown;
}

function UpdateCard({ message }: { readonly message: Message }) {
  const update = (typeof message.body === 'object' && message.body !== null ? message.body : {}) as Update;
  const { status, text, progress } = update;
  const isKnown = typeof text === 'string' || typeof progress === 'number';
  return (
    <li>
      <p className="by">
        <strong>{message.from}</strong>
        {typeof status === 'string' && <span className="tag">{status}</span>}
        <time dateTime={new Date(message.at).toISOString()}>{new Date(message.at).toLocaleTimeString()}</time>
      </p>
      {typeof text === 'string' && <p className="text">{text}</p>}
      {typeof progress === 'number' && <progress value={progress} max={1} aria-label="Progress" />}
      {!isKnown && <pre className="text">{JSON.stringify(message.body)}</pre>}
    </li>
  );
}
