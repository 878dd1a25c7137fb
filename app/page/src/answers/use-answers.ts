import { useEffect, useRef, useState } from 'react';
import { type Answer, Answers, ask, cancel } from '../../../client/answers.ts';
import type { Message } from '../../../protocol/hub.ts';
import type { RoomsHub } from '../hubs/protocol.ts';

export interface AnswerRoom {
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
export function useAnswers(hub: RoomsHub | undefined, room: string): AnswerRoom {
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
