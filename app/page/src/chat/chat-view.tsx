import { useEffect, useState } from 'react';
import type { ClientHub } from '../../../client/hub.ts';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { useRoom } from '../hubs/use-room.ts';
import { Person } from '../people/person.tsx';
import { useSession } from '../session/session.ts';
import { Conversation } from './conversation.tsx';

/** A room with everyone in it, on whichever instance they are. */
export function ChatView({ room: name }: { readonly room: string }) {
  const hub = useHub('chat');
  const room = useRoom(hub.client, name);
  const members = useMembers(hub.client, name);
  const self = useSession()?.subject;
  return (
    <section className="chat" aria-labelledby="chat-title">
      <div className="view-head">
        <h2 id="chat-title">
          Room <em>{name}</em>
        </h2>
        <ConnectionStatus hub={hub} />
      </div>
      <div className="columns">
        <Conversation hub={hub} name={name} room={room} self={self} />
        <MemberList members={members} self={self} />
      </div>
    </section>
  );
}

/** The subjects that are in a room, on all instances. */
function useMembers(hub: ClientHub | undefined, room: string): readonly string[] {
  const [members, setMembers] = useState<readonly string[]>([]);
  useEffect(() => {
    if (!hub) return;
    const presence = hub.presence(room, (now) => setMembers([...now].sort()));
    return () => presence.close();
  }, [hub, room]);
  return members;
}

interface MemberListProps {
  readonly members: readonly string[];
  readonly self: string | undefined;
}

const mostShown = 50;

/** Who is in the room now, on all instances. */
function MemberList({ members, self }: MemberListProps) {
  return (
    <aside className="members" aria-labelledby="members-title">
      <h3 id="members-title">
        Here now <span className="soft">{members.length}</span>
      </h3>
      <ul>
        {members.slice(0, mostShown).map((subject) => (
          <li key={subject}>
            <Person subject={subject} self={subject === self} />
          </li>
        ))}
        {members.length > mostShown && <li className="soft">and {members.length - mostShown} more</li>}
      </ul>
    </aside>
  );
}
