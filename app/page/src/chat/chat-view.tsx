import { Composer } from '../controls/composer.tsx';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { useRoom } from '../hubs/use-room.ts';
import { useSession } from '../session/session.ts';
import { MemberList } from './member-list.tsx';
import { MessageList } from './message-list.tsx';
import { TypingLine } from './typing-line.tsx';
import { useMembers } from './use-members.ts';
import { useTyping } from './use-typing.ts';

/** A room with everyone in it, on whichever instance they are. */
export function ChatView({ room: name }: { readonly room: string }) {
  const hub = useHub('chat');
  const room = useRoom(hub.client, name);
  const members = useMembers(hub.client, name);
  const typing = useTyping(hub.client, name);
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
        <div className="column">
          <MessageList messages={room.messages} self={self} />
          {room.lost && <p role="alert">Some messages were lost and can't be shown.</p>}
          {room.refused && <p role="alert">{room.refused}</p>}
          <TypingLine subjects={typing.others} />
          <Composer
            label="Message"
            action="Send"
            disabled={hub.state === 'connecting' || hub.state === 'refused'}
            onInput={typing.tell}
            onSubmit={(text) => room.publish({ text })}
          />
        </div>
        <MemberList members={members} self={self} />
      </div>
    </section>
  );
}
