import {
  type AnswerBody,
  type AskReply,
  type AskRequest,
  answerFrom,
  type Final,
  type FinalState,
  type Question,
  type Tokens,
} from '../protocol/answers.ts';
import type { Message } from '../protocol/hub.ts';
import type { HubSocket } from './connection/connect.ts';
import { randomId } from './connection/random-id.ts';
import { type Caller, callUntilAvailable } from './requests/call.ts';
import { callerOf } from './requests/socket-caller.ts';

/** A question, and the part of its answer that has arrived. */
export interface Answer {
  readonly turn: string;
  /** Absent if this client joined after the question. */
  readonly prompt?: string;
  /** Who asked. */
  readonly by?: string;
  readonly text: string;
  /** `unknown`: messages were lost, and no message of this answer has arrived since. */
  readonly state: 'running' | 'unknown' | FinalState;
  /** `text` has no gap up to its end. */
  readonly isComplete: boolean;
  /** Why the answer ended early. */
  readonly reason?: string;
}

interface Folded extends Answer {
  readonly seq: number;
}

/** The newest answers are kept, at most so many. */
const mostKept = 100;

/**
 * Builds answers from the messages of a room. The application passes it what `onMessage` and `onLost` get. It shows
 * each token once, through reconnects and changes of instance. If messages were lost, the answer's last message
 * restores the whole text.
 */
export class Answers {
  #answers: readonly Folded[] = [];

  /** Oldest first. Each change makes a new array. */
  get all(): readonly Answer[] {
    return this.#answers;
  }

  of(turn: string): Answer | undefined {
    return this.#answers.find((answer) => answer.turn === turn);
  }

  /** @returns whether it was a message of an answer */
  heard({ from, body }: Message): boolean {
    if (from !== answerFrom || !isAnswerBody(body)) return false;
    const known = this.#answers.find(({ turn }) => turn === body.turn);
    // An answer that has ended does not change any more.
    if (known && known.state !== 'running' && known.state !== 'unknown') return true;
    const next = fold(known ?? unheardOf(body.turn), body);
    if (known) this.#answers = this.#answers.map((answer) => (answer === known ? next : answer));
    else this.#answers = [...this.#answers, next].slice(-mostKept);
    return true;
  }

  /** Call it when messages of the room were lost: the end of an answer may be among them. */
  lost(): void {
    this.#answers = this.#answers.map((answer) =>
      answer.state === 'running' ? { ...answer, state: 'unknown' } : answer,
    );
  }
}

function unheardOf(turn: string): Folded {
  return { turn, text: '', state: 'running', isComplete: true, seq: 0 };
}

function fold(answer: Folded, body: AnswerBody): Folded {
  if ('prompt' in body) return { ...answer, prompt: body.prompt, by: body.by };
  if ('final' in body) return end(answer, body);
  return body.seq <= answer.seq ? answer : add(answer, body);
}

function add(answer: Folded, { seq, text }: Tokens): Folded {
  const isComplete = answer.isComplete && seq === answer.seq + 1;
  return { ...answer, text: answer.text + text, seq, state: 'running', isComplete };
}

function end(answer: Folded, { seq, text, final, reason }: Final): Folded {
  return { ...answer, text, seq, state: final, isComplete: true, ...(reason !== undefined && { reason }) };
}

function isAnswerBody(body: unknown): body is AnswerBody {
  if (typeof body !== 'object' || body === null) return false;
  const { turn, seq, prompt, text } = body as Partial<Question & Omit<Final, 'seq'>>;
  return typeof turn === 'string' && typeof seq === 'number' && typeof (prompt ?? text) === 'string';
}

/** What asks: a hub of either protocol, or the socket of one over Socket.IO. */
export type Asker = HubSocket | { readonly caller: Caller };

/** In milliseconds; the same as for a publish. */
const tryForMs = 60_000;
/** In milliseconds. The service remembers the id of a turn for half an hour. */
const longestTryMs = 1_200_000;

/**
 * Asks the model in a room, and repeats the question with the same id until the service acknowledges it. However often
 * it arrives, and on whichever instance, it is one turn. The answer comes as messages of the room, from which
 * `Answers` builds it.
 *
 * @param options.forMs how long to try, in milliseconds, at most 1,200,000. @default 60,000
 * @returns the turn
 * @throws HubError `refused`: too many answers are under way, or Redis is away. `uncertain`: it may still be answered.
 *   `too_large`, `bad_request`: the prompt is not valid
 */
export async function ask(
  asker: Asker,
  request: AskRequest,
  { forMs = tryForMs }: { forMs?: number } = {},
): Promise<string> {
  const named = { ...request, id: request.id ?? randomId() };
  const { turn } = await callUntilAvailable<AskReply>(callerFor(asker), 'ask', () => named, {
    forMs,
    longestMs: longestTryMs,
  });
  return turn;
}

/**
 * Cancels an answer, on whichever instance it is made.
 * @throws HubError if the turn is unknown, or another user's
 */
export async function cancel(
  asker: Asker,
  turn: string,
  { forMs = tryForMs }: { forMs?: number } = {},
): Promise<void> {
  await callUntilAvailable(callerFor(asker), 'cancel', () => ({ turn }), { forMs, longestMs: longestTryMs });
}

function callerFor(asker: Asker): Caller {
  return 'caller' in asker ? asker.caller : callerOf(asker);
}
