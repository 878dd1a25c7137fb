import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { useRoom } from '../hubs/use-room.ts';
import { useSession } from '../session/session.ts';
import { Conversation } from './conversation.tsx';
import { MemberList } from './member-list.tsx';
import { useMembers } from './use-members.ts';

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
