import { useEffect, useRef, useState } from 'react';
import { type Answer, Answers, ask, cancel } from '../../../client/answers.ts';
import type { Message } from '../../../protocol/hub.ts';
import { Composer } from '../controls/composer.tsx';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useProtocol } from '../hubs/protocol.ts';
import { ProtocolChoice } from '../hubs/protocol-choice.tsx';
import { type RoomsHub, useHubOver } from '../hubs/use-hub.ts';
import { useSession } from '../session/session.ts';
import { AnswerCard } from './answer-card.tsx';

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

interface AnswerRoom {
  /** Oldest first. */
  readonly answers: readonly Answer[];
  readonly refused: string | undefined;
  /** @returns undefined if it worked, else the reason */
  readonly ask: (prompt: string) => Promise<string | undefined>;
  readonly cancel: (turn: string) => Promise<string | undefined>;
}

/** How long the page tries before it reports a failure, in milliseconds. */
const tryForMs = 15_000;
/** The number of earlier messages to load: an answer of a page or two. */
const recent = 200;

/** The questions and answers of a room, as they arrive. */
function useAnswers(hub: RoomsHub | undefined, room: string): AnswerRoom {
  const folded = useRef(new Answers());
  const [answers, setAnswers] = useState<readonly Answer[]>([]);
  const [refused, setRefused] = useState<string>();

  useEffect(() => {
    if (!hub) return;
    folded.current = new Answers();
    setRefused(undefined);
    const show = () => setAnswers(folded.current.all);
    const handlers = {
      onMessage: (message: Message) => {
        if (folded.current.heard(message)) show();
      },
      onLost: () => {
        folded.current.lost();
        show();
      },
      onRefused: (error: Error) => setRefused(error.message),
    };
    hub.join(room, handlers, { recent });
    return () => hub.leave(room);
  }, [hub, room]);

  const attempt = async (what: (client: RoomsHub) => Promise<unknown>) => {
    if (!hub) return 'Not connected yet';
    try {
      await what(hub);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  return {
    answers,
    refused,
    ask: (prompt) => attempt((client) => ask(client, { room, prompt }, { forMs: tryForMs })),
    cancel: (turn) => attempt((client) => cancel(client, turn, { forMs: tryForMs })),
  };
}
