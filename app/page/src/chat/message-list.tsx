import { useEffect, useRef } from 'react';
import type { Message } from '../../../protocol/hub.ts';
import { Person } from '../people/person.tsx';
import { CallLine, callEventOf } from './call-line.tsx';

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
        <MessageItem key={`${message.epoch}:${message.offset}`} message={message} self={self} />
      ))}
      <li ref={end} aria-hidden="true" />
    </ol>
  );
}

interface MessageItemProps {
  readonly message: Message;
  readonly self: string | undefined;
}

function MessageItem({ message, self }: MessageItemProps) {
  const { from, at, body } = message;
  const event = callEventOf(message);
  const time = <time dateTime={new Date(at).toISOString()}>{timeOf(at)}</time>;
  if (event) {
    return (
      <li className="event">
        <CallLine event={event} /> {time}
      </li>
    );
  }
  return (
    <li className={from === self ? 'own' : undefined}>
      <p className="by">
        <Person subject={from} self={from === self} />
        {time}
      </p>
      <p className="text">{textOf(body)}</p>
    </li>
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
