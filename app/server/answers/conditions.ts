import type { Question, Tokens } from '../../protocol/answers.ts';
import type { Condition } from '../rooms/condition.ts';
import { ConditionalAppend } from '../rooms/conditional-append.ts';
import type { Ending } from './ending.ts';
import { jsonInside } from './json-text.ts';
import type { AnswerKeys } from './keys.ts';
import type { AnswerLimits } from './limits.ts';
import type { MemoryTurns } from './memory-turns.ts';
import type { Turn } from './turn.ts';

const startScript = new ConditionalAppend(new URL('./scripts/start.lua', import.meta.url));
const chunkScript = new ConditionalAppend(new URL('./scripts/chunk.lua', import.meta.url));
const endScript = new ConditionalAppend(new URL('./scripts/end.lua', import.meta.url));

export interface TurnConditionsOptions {
  readonly keys: AnswerKeys;
  readonly memory: MemoryTurns;
  readonly limits: AnswerLimits;
}

/** On what each message of a turn depends, wherever its room's log is kept. */
export class TurnConditions {
  readonly #options: TurnConditionsOptions;

  constructor(options: TurnConditionsOptions) {
    this.#options = options;
  }

  /** Withholds `mine`, `known`, `room` or `subject`, as `start.lua` says. */
  start(turn: Turn, prompt: string): Condition {
    const { keys, memory, limits } = this.#options;
    const question: Question = { turn: turn.turn, seq: 0, prompt, by: turn.subject };
    return {
      script: startScript,
      keys: [keys.turn(turn.turn), ...runningKeys(keys, turn), keys.turnsOf(turn.room)],
      args: [
        turn.turn,
        turn.owner,
        turn.room,
        turn.subject,
        prompt,
        JSON.stringify(question),
        limits.running,
        limits.runningOfSubject,
        limits.turnsRemembered,
        limits.timeMs,
        limits.keptMs,
      ],
      decide: () => memory.start(turn, prompt, question),
    };
  }

  /** Withholds `repeated`, `unknown`, `lost` or the state that the turn ended in, as `chunk.lua` says. */
  chunk(turn: Turn, seq: number, text: string): Condition {
    const { keys, memory, limits } = this.#options;
    const tokens: Tokens = { turn: turn.turn, seq, text };
    return {
      script: chunkScript,
      keys: [keys.turn(turn.turn), keys.text(turn.turn)],
      args: [turn.owner, seq, jsonInside(text), JSON.stringify(tokens), limits.keptMs],
      decide: () => memory.chunk(turn, tokens),
    };
  }

  /** Withholds `ended`, `unknown` or `lost`, as `end.lua` says. */
  end(turn: Turn, ending: Ending): Condition {
    const { keys, memory, limits } = this.#options;
    const { state, reason, whole } = ending;
    return {
      script: endScript,
      keys: [keys.turn(turn.turn), keys.text(turn.turn), ...runningKeys(keys, turn)],
      args: [
        turn.turn,
        state,
        turn.owner,
        whole ? 1 : 0,
        jsonInside(whole?.text ?? ''),
        whole?.seq ?? 0,
        reason === undefined ? '' : JSON.stringify(reason),
        limits.keptMs,
      ],
      decide: () => memory.end(turn, ending),
    };
  }
}

/** Of the room, the subject and the owner, in the scripts' order. */
function runningKeys(keys: AnswerKeys, { room, subject, owner }: Turn): string[] {
  return [keys.runningIn(room), keys.runningOf(subject), keys.ownedBy(owner)];
}
