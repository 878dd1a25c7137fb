import { useState } from 'react';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { useRoom } from '../hubs/use-room.ts';
import { LocalJobs } from './local-jobs.tsx';
import { UpdateCard } from './update-card.tsx';

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

/** A room that backends feed. */
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
