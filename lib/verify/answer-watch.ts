import { type AnswerBody, answerFrom, type Final } from '../../app/protocol/answers.ts';
import type { Message } from '../../app/protocol/hub.ts';

/** What one client heard of one answer. */
export interface Heard {
  /** Chunks, repeats among them. */
  readonly chunks: number;
  readonly repeated: number;
  readonly missing: number;
  readonly outOfOrder: number;
  /** Ends: one is right. */
  readonly finals: readonly Final[];
  /** Chunks that came behind the end. */
  readonly late: number;
  /** The chunks put together are what the end says. */
  readonly isWhole: boolean;
}

/** Keeps the messages of answers as they come, and judges them. */
export class AnswerWatch {
  readonly #bodies = new Map<string, AnswerBody[]>();

  hear({ from, body }: Message): void {
    if (from !== answerFrom || typeof body !== 'object' || body === null) return;
    const { turn } = body as AnswerBody;
    const bodies = this.#bodies.get(turn) ?? [];
    this.#bodies.set(turn, bodies);
    bodies.push(body as AnswerBody);
  }

  /** Chunks of this answer so far. */
  chunksOf(turn: string): number {
    return (this.#bodies.get(turn) ?? []).filter(isChunk).length;
  }

  hasEnded(turn: string): boolean {
    return (this.#bodies.get(turn) ?? []).some(isFinal);
  }

  of(turn: string): Heard {
    const bodies = this.#bodies.get(turn) ?? [];
    const chunks = bodies.filter(isChunk);
    const seqs = chunks.map(({ seq }) => seq);
    const different = new Set(seqs);
    const finals = bodies.filter(isFinal);
    const end = bodies.findIndex(isFinal);
    const text = chunks.map((chunk) => chunk.text).join('');
    return {
      chunks: chunks.length,
      repeated: seqs.length - different.size,
      missing: Math.max(0, ...seqs) - different.size,
      outOfOrder: seqs.filter((seq, index) => index > 0 && seq < (seqs[index - 1] ?? 0)).length,
      finals,
      late: end < 0 ? 0 : bodies.slice(end).filter(isChunk).length,
      isWhole: finals.length > 0 && finals.every((final) => final.text === text),
    };
  }
}

type Chunk = Extract<AnswerBody, { text: string }> & { final?: never };

function isChunk(body: AnswerBody): body is Chunk {
  return 'text' in body && !('final' in body) && !('prompt' in body);
}

function isFinal(body: AnswerBody): body is Final {
  return 'final' in body;
}
