import { useEffect, useRef } from 'react';
import { Composer } from '../controls/composer.tsx';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useProtocol } from '../hubs/protocol.ts';
import { ProtocolChoice } from '../hubs/protocol-choice.tsx';
import { useHubOver } from '../hubs/use-hub.ts';
import { useSession } from '../session/session.ts';
import { AnswerCard } from './answer-card.tsx';
import { useAnswers } from './use-answers.ts';

/**
 * A room in which a model answers. Everyone in it sees the answers, on whichever instance they are, and over whichever
 * protocol.
 */
export function AnswersView({ room: name }: { readonly room: string }) {
  const chosen = useProtocol();
  const hub = useHubOver(chosen.open, 'llm');
  const room = useAnswers(hub.client, name);
  const self = useSession()?.subject;
  const end = useRef<HTMLLIElement>(null);
  const length = room.answers.at(-1)?.text.length ?? 0;
  useEffect(() => {
    if (length > 0) end.current?.scrollIntoView({ block: 'nearest' });
  }, [length]);
  return (
    <section aria-labelledby="answers-title">
      <div className="view-head">
        <h2 id="answers-title">
          AI chat in <em>{name}</em>
        </h2>
        <ProtocolChoice chosen={chosen} />
        <ConnectionStatus hub={hub} />
      </div>
      {chosen.fault && <p role="alert">{chosen.fault}</p>}
      <div className="column">
        {room.answers.length === 0 ? (
          <p className="empty">
            Ask something. The answer comes token by token, to every window in this room, and goes on when the
            instance that serves you is drained.
          </p>
        ) : (
          <ol className="answers" aria-label="Answers">
            {room.answers.map((answer) => (
              <AnswerCard key={answer.turn} answer={answer} self={self} onCancel={room.cancel} />
            ))}
            <li ref={end} aria-hidden="true" />
          </ol>
        )}
        {room.refused && <p role="alert">{room.refused}</p>}
        <Composer
          label="Question"
          action="Ask"
          placeholder="count to 50"
          disabled={hub.state === 'connecting' || hub.state === 'refused'}
          onSubmit={room.ask}
        />
      </div>
    </section>
  );
}
