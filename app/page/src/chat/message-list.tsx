import { useEffect, useRef } from 'react';
import type { Message } from '../../../protocol/hub.ts';
import { Person } from '../people/person.tsx';

export interface MessageListProps {
  readonly messages: readonly Message[];
  readonly self: string | undefined;
}

export function MessageList({ messages, self }: MessageListProps) {
  const end = useRef<HTMLLIElement>(null);
  const newest = messages.at(-1)?.id;
  useEffect(() => {
    if (newest) end.current?.scrollIntoView({ block: 'nearest' });
  }, [newest]);
  if (messages.length === 0) {
    return <p className="empty">Open this page in a second window: what one writes, the other one reads.</p>;
  }
  return (
    <ol className="messages" aria-live="polite" aria-label="Messages">
      {messages.map((message) => (
        <li key={`${message.epoch}:${message.offset}`} className={message.from === self ? 'own' : undefined}>
          <p className="by">
            <Person subject={message.from} self={message.from === self} />
            <time dateTime={new Date(message.at).toISOString()}>{timeOf(message.at)}</time>
          </p>
          <p className="text">{textOf(message.body)}</p>
        </li>
      ))}
      <li ref={end} aria-hidden="true" />
    </ol>
  );
}

function timeOf(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** Other clients may publish any JSON into the room. */
function textOf(body: unknown): string {
  const text = (body as { text?: unknown } | null)?.text;
  return typeof text === 'string' ? text : JSON.stringify(body);
}
