import { type FormEvent, useState } from 'react';
import type { ConnectionState } from '../../client/state.ts';
import type { Message } from '../../protocol/hub.ts';
import { type Room, useRoom } from './use-room.ts';

const stateInWords = {
  connecting: 'Connecting…',
  connected: 'Connected',
  degraded: 'Connected; the backplane is away, messages wait',
  reconnecting: 'Connection lost, coming back…',
  refused: 'The service does not let this page in',
  closed: 'Closed',
} as const satisfies Record<ConnectionState, string>;

export function ChatPage({ room: name }: { readonly room: string }) {
  const room = useRoom(name);
  return (
    <main>
      <header>
        <h1>Realtime Stack</h1>
        <p className="served" role="status">
          <span className={`dot ${room.state}`} aria-hidden="true" />
          {stateInWords[room.state]}
          {room.instance && (
            <>
              {' · served by '}
              <strong data-testid="instance">{room.instance}</strong>
            </>
          )}
        </p>
      </header>
      <h2>
        Room <em>{name}</em>
      </h2>
      <Messages messages={room.messages} />
      {room.lost && <p role="alert">Some messages were lost and can't be shown.</p>}
      <Composer room={room} />
    </main>
  );
}

function Messages({ messages }: { readonly messages: readonly Message[] }) {
  if (messages.length === 0) {
    return <p className="empty">Open this page in a second window: what one writes, the other one reads.</p>;
  }
  return (
    <ol className="messages" aria-live="polite" aria-label="Messages">
      {messages.map((message) => (
        <li key={message.id}>
          <time dateTime={new Date(message.at).toISOString()}>
            {new Date(message.at).toLocaleTimeString()}
          </time>
          <span className="from">{message.from.slice(0, 6)}</span>
          <span className="text">{textOf(message.body)}</span>
        </li>
      ))}
    </ol>
  );
}

/** Other clients may publish any JSON into the room. */
function textOf(body: unknown): string {
  const text = (body as { text?: unknown } | null)?.text;
  return typeof text === 'string' ? text : JSON.stringify(body);
}

function Composer({ room }: { readonly room: Room }) {
  const [text, setText] = useState('');
  const [fault, setFault] = useState<string>();
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === '') return;
    const refused = await room.publish(text.trim());
    setFault(refused);
    if (!refused) setText('');
  };
  return (
    <form onSubmit={send}>
      <label htmlFor="message">Message</label>
      <div className="line">
        <input
          id="message"
          value={text}
          onChange={(event) => setText(event.target.value)}
          autoComplete="off"
        />
        <button type="submit" disabled={room.state === 'connecting' || room.state === 'refused'}>
          Send
        </button>
      </div>
      {fault && <p role="alert">{fault}</p>}
    </form>
  );
}
