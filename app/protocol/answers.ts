/** The wire's types of AI answers: what a client asks, and the messages of its room that an answer is made of. */

export interface AskRequest {
  readonly room: string;
  /** Chosen by the asker; 1–64 characters. A repeat with the same id is the same turn. */
  readonly id?: string;
  readonly prompt: string;
}

export interface AskReply {
  readonly turn: string;
}

/** `from` of every message of an answer: what anybody else publishes in these shapes is none. */
export const answerFrom = 'assistant';

/** The bodies of a turn's messages: its question, the answer token by token, and its end. */
export type AnswerBody = Question | Tokens | Final;

export interface Question {
  readonly turn: string;
  readonly seq: 0;
  readonly prompt: string;
  /** The asker's subject. */
  readonly by: string;
}

export interface Tokens {
  readonly turn: string;
  /** From 1, without gaps. */
  readonly seq: number;
  readonly text: string;
}

/** Each turn ends with exactly one of these. */
export interface Final {
  readonly turn: string;
  readonly seq: number;
  readonly final: FinalState;
  /** The whole answer, or the part of it that was made. */
  readonly text: string;
  /** Why the answer ended early, in words for the reader. */
  readonly reason?: string;
}

export type FinalState =
  /** The model has finished, or the answer has reached its longest length: then `reason` says so. */
  | 'done'
  /** The instance that made it left or died. */
  | 'interrupted'
  /** The asker cancelled it. */
  | 'cancelled'
  /** The model returned an error, or took too long. */
  | 'failed';
