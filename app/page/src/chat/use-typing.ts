import { useEffect, useRef, useState } from 'react';
import type { ClientHub } from '../../../client/hub.ts';
import { useSession } from '../session/session.ts';

/** Who wrote something so lately is typing, in milliseconds; it is told half as often again. */
const shownMs = 3_000;
const tellEveryMs = 2_000;

export interface Typing {
  readonly others: readonly string[];
  /** This window's user wrote something. */
  readonly tell: () => void;
}

/** Who is typing in a room: not kept, and lost where nobody listens. */
export function useTyping(hub: ClientHub | undefined, room: string): Typing {
  const self = useSession()?.subject;
  const [heard, setHeard] = useState<ReadonlyMap<string, number>>(new Map());
  const toldAt = useRef(0);

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

  const tell = () => {
    if (Date.now() - toldAt.current < tellEveryMs || !hub?.socket.connected) return;
    toldAt.current = Date.now();
    hub.socket.emit('typing', { room });
  };
  return { others: [...heard.keys()].filter((subject) => subject !== self), tell };
}

function withoutOld(known: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const fresh = [...known].filter(([, at]) => Date.now() - at < shownMs);
  return fresh.length === known.size ? known : new Map(fresh);
}
