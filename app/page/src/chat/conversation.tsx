import { Composer } from '../controls/composer.tsx';
import type { Hub } from '../hubs/use-hub.ts';
import type { Room } from '../hubs/use-room.ts';
import { MessageList } from './message-list.tsx';
import { TypingLine } from './typing-line.tsx';
import { useTyping } from './use-typing.ts';

export interface ConversationProps {
  readonly hub: Hub;
  readonly name: string;
  readonly room: Room;
  readonly self: string | undefined;
}

/** What is said in a room, and where to say something. */
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
        onInput={typing.tell}
        onSubmit={(text) => room.publish({ text })}
      />
    </div>
  );
}
