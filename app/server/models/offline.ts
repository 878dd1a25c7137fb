import { setTimeout as delay } from 'node:timers/promises';
import type { ModelMessage, ModelProvider } from './provider.ts';

export interface OfflineOptions {
  /** Milliseconds from one word to the next. @default 30, about what a hosted model does */
  readonly paceMs?: number;
}

/** A prompt may ask for so many words. */
const mostWords = 10_000;
const longestQuote = 200;

/**
 * A model that needs no key and no network, and says the same each time: what the service answers with until
 * it is given a real one. `count to 500` makes an answer as long as a test or a demonstration wants it.
 */
export function openOfflineModel({ paceMs = 30 }: OfflineOptions = {}): ModelProvider {
  return {
    name: 'offline/echo',
    async *stream({ messages, signal }) {
      for (const word of wordsOf(messages)) {
        if (paceMs > 0) await pause(paceMs, signal);
        signal.throwIfAborted();
        yield word;
      }
    },
  };
}

/** Rejects with what the signal was aborted with. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

function wordsOf(messages: readonly ModelMessage[]): Iterable<string> {
  const prompt = messages.at(-1)?.text ?? '';
  const most = /\bcount to ([\d,]+)/i.exec(prompt)?.[1]?.replaceAll(',', '');
  return most === undefined ? explanation(prompt, messages.length) : counting(Number(most));
}

function* counting(most: number): Iterable<string> {
  const last = Math.min(most, mostWords);
  for (let n = 1; n <= last; n += 1) yield n < last ? `${n} ` : `${n}`;
}

/** Each word with the space behind it. */
function explanation(prompt: string, messages: number): string[] {
  const quoted = prompt.length > longestQuote ? `${prompt.slice(0, longestQuote)}…` : prompt;
  const text =
    `You asked: “${quoted}” I am the offline model: I need no key and know nothing, and I stream word by word as a ` +
    `real one does, through this room’s log, so that everyone in it reads along on every instance. ` +
    `I was given ${messages === 1 ? 'this message alone' : `${messages} messages of this room`}. ` +
    'Ask me to “count to 200” for a long answer, cancel it in the middle, or stop the instance that you are on. ' +
    'Set MODEL_PROVIDER=bedrock and MODEL_ID for answers that mean something.';
  return text.match(/\S+\s*/g) ?? [];
}
