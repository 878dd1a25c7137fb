import { useEffect, useRef, useState } from 'react';
import type { ClientHub } from '../../../client/hub.ts';
import { Composer } from '../controls/composer.tsx';
import type { Hub } from '../hubs/use-hub.ts';
import type { Room } from '../hubs/use-room.ts';
import { nameOf } from '../people/person.tsx';
import { useSession } from '../session/session.ts';
import { MessageList } from './message-list.tsx';

export interface ConversationProps {
  readonly hub: Hub;
  readonly name: string;
  readonly room: Room;
  readonly self: string | undefined;
}

/** The messages of a room, and a field to write one. */
export function Conversation({ hub, name, room, self }: ConversationProps) {
  const typing = useTyping(hub.client, name);
  return (
    <div className="column">
      <MessageList messages={room.messages} self={self} />
      {room.lost && <p role="alert">Some messages were lost and can't be shown.</p>}
      {room.refused && <p role="alert">{room.refused}</p>}
      <TypingLine subjects={typing.others} />
      <Composer
        label="Message"
        action="Send"
        disabled={hub.state === 'connecting' || hub.state === 'refused'}
        onInput={typing.notify}
        onSubmit={(text) => room.publish({ text })}
      />
    </div>
  );
}

/** Keeps its height when nobody is typing, so that the layout does not jump. */
function TypingLine({ subjects }: { readonly subjects: readonly string[] }) {
  return (
    <p className="typing soft" aria-live="polite">
      {inWords(subjects.map(nameOf))}
    </p>
  );
}

function inWords(names: readonly string[]): string {
  if (names.length === 0) return '\u00a0';
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return `${names.length} people are typing…`;
}

/** A user is shown as typing for so long after each event, in milliseconds. */
const shownMs = 3_000;
/** While the user types, the page sends an event at most this often, in milliseconds. */
const notifyEveryMs = 2_000;

interface Typing {
  readonly others: readonly string[];
  /** Call it when this window's user has typed something. */
  readonly notify: () => void;
}

/** The users that are typing in a room. The events are not stored, and not guaranteed. */
function useTyping(hub: ClientHub | undefined, room: string): Typing {
  const self = useSession()?.subject;
  const [heard, setHeard] = useState<ReadonlyMap<string, number>>(new Map());
  const notifiedAt = useRef(0);

  useEffect(() => {
    if (!hub) return;
    const hear = (typing: { room: string; from: string }) => {
      if (typing.room === room) setHeard((known) => new Map(known).set(typing.from, Date.now()));
    };
    hub.socket.on('typing', hear);
    const timer = setInterval(() => setHeard(withoutOld), 500);
    return () => {
      hub.socket.off('typing', hear);
      clearInterval(timer);
    };
  }, [hub, room]);

  const notify = () => {
    if (Date.now() - notifiedAt.current < notifyEveryMs || !hub?.socket.connected) return;
    notifiedAt.current = Date.now();
    hub.socket.emit('typing', { room });
  };
  return { others: [...heard.keys()].filter((subject) => subject !== self), notify };
}

function withoutOld(known: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const fresh = [...known].filter(([, at]) => Date.now() - at < shownMs);
  return fresh.length === known.size ? known : new Map(fresh);
}
