import { type AnswerBody, answerFrom, type Final, type Tokens } from '../../../app/protocol/answers.ts';
import type { Message } from '../../../app/protocol/hub.ts';

/** The part of one answer that one client got. */
export interface AnswerReport {
  /** Number of chunks, including repeats. */
  readonly chunks: number;
  readonly repeated: number;
  readonly missing: number;
  readonly outOfOrder: number;
  /** Number of ends; it must be one. */
  readonly finals: readonly Final[];
  /** Number of chunks that came after the end. */
  readonly late: number;
  /** Whether the chunks together are the text of the end. */
  readonly isWhole: boolean;
}

/** The messages of answers that one client got, in the order of their arrival. */
export class AnswerRecord {
  readonly bodies: AnswerBody[] = [];

  delivered({ from, body }: Message): void {
    if (from === answerFrom && typeof body === 'object' && body !== null)
      this.bodies.push(body as AnswerBody);
  }

  /** Pieces of the answer's text. */
  chunksOf(turn: string): Tokens[] {
    return this.#of(turn).filter(isChunk);
  }

  /** The text of its chunks so far. */
  textOf(turn: string): string {
    return this.chunksOf(turn)
      .map(({ text }) => text)
      .join('');
  }

  finalsOf(turn: string): Final[] {
    return this.#of(turn).filter(isFinal);
  }

  reportOf(turn: string): AnswerReport {
    const bodies = this.#of(turn);
    const seqs = this.chunksOf(turn).map(({ seq }) => seq);
    const different = new Set(seqs);
    const finals = this.finalsOf(turn);
    const end = bodies.findIndex(isFinal);
    const text = this.textOf(turn);
    return {
      chunks: seqs.length,
      repeated: seqs.length - different.size,
      missing: Math.max(0, ...seqs) - different.size,
      outOfOrder: seqs.filter((seq, index) => index > 0 && seq < (seqs[index - 1] ?? 0)).length,
      finals,
      late: end < 0 ? 0 : bodies.slice(end).filter(isChunk).length,
      isWhole: finals.length > 0 && finals.every((final) => final.text === text),
    };
  }

  #of(turn: string): AnswerBody[] {
    return this.bodies.filter((body) => body.turn === turn);
  }
}

function isChunk(body: AnswerBody): body is Tokens {
  return 'text' in body && !('final' in body) && !('prompt' in body);
}

function isFinal(body: AnswerBody): body is Final {
  return 'final' in body;
}
