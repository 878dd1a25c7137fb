/** The wire's types of AI answers: what a client asks, and the messages of its room that an answer is made of. */

export interface AskRequest {
  readonly room: string;
  /** Chosen by the asker; 1–64 characters. Asked again with the same id it is the same turn, not another one. */
  readonly id?: string;
  readonly prompt: string;
}

export interface AskAnswer {
  readonly turn: string;
}

export interface CancelRequest {
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
  /** From 1, without holes. */
  readonly seq: number;
  readonly text: string;
}

/** Said exactly once a turn. */
export interface Final {
  readonly turn: string;
  readonly seq: number;
  readonly final: FinalState;
  /** The whole answer, or as much of it as there is. */
  readonly text: string;
  /** Why there is no more of it, in words for the reader. */
  readonly reason?: string;
}

export type FinalState =
  /** The model has said all, or as much as an answer may have: then `reason` says so. */
  | 'done'
  /** The instance that made it left or died. */
  | 'interrupted'
  /** The asker wanted no more of it. */
  | 'cancelled'
  /** The model gave an error, or took too long. */
  | 'failed';
