import { answerFrom } from '../../protocol/answers.ts';
import type { GenerationContext } from './generation.ts';

/**
 * Ends what a dead instance was answering, each turn once, whoever else does it too: with the text that stands
 * in the log.
 *
 * @throws RefusedError, UncertainError, Error while Redis is away: to be done again
 */
export async function endTurnsOf(
  owner: string,
  {
    reader,
    preconditions,
    rooms,
    log,
  }: Pick<GenerationContext, 'reader' | 'preconditions' | 'rooms' | 'log'>,
): Promise<void> {
  const turns = await reader.ownedBy(owner);
  for (const turn of turns) {
    const found = await reader.find(turn);
    if (!found) {
      await reader.forget(turn, owner);
      continue;
    }
    const ending = { state: 'interrupted', reason: 'the instance that answered has failed' } as const;
    const message = { id: `${turn}:final`, from: answerFrom };
    await rooms.publishIf(found.room, message, preconditions.end(found, ending));
  }
  if (turns.length > 0)
    log.warn({ owner, turns: turns.length }, 'ended the answers of an instance that failed');
}
