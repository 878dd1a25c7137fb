import type { ModelMessage } from '../models/provider.ts';
import type { AnswerLimits } from './limits.ts';
import type { Exchange } from './turn.ts';

/**
 * What the model is given: the newest turns of the room that fit, whoever asked, and the question. A turn that
 * said nothing is left out, so that question and answer alternate, as models require.
 */
export function conversationOf(
  exchanges: readonly Exchange[],
  prompt: string,
  { charactersRemembered, turnsRemembered }: AnswerLimits,
): ModelMessage[] {
  const messages: ModelMessage[] = [{ role: 'user', text: prompt }];
  let left = charactersRemembered;
  for (const { prompt: asked, answer } of exchanges.slice(-turnsRemembered).reverse()) {
    left -= asked.length + answer.length;
    if (left < 0) break;
    if (asked !== '' && answer !== '')
      messages.unshift({ role: 'user', text: asked }, { role: 'assistant', text: answer });
  }
  return messages;
}
