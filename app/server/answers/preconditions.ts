import type { Question, Tokens } from '../../protocol/answers.ts';
import { fenceKey } from '../leases/fence.ts';
import { ConditionalAppend } from '../rooms/log/conditional-append.ts';
import type { Precondition } from '../rooms/log/log.ts';
import { type AnswerKeys, jsonInside } from './keys.ts';
import type { MemoryTurns } from './memory-turns.ts';
import { type AnswerLimits, bucketOfTurn, type Ending, type Turn } from './turn.ts';

const startScript = new ConditionalAppend(
  {
    keys: ['turn', 'runningIn', 'ownedBy', 'turnsOf', 'fence'],
    args: [
      'id',
      'owner',
      'room',
      'subject',
      'prompt',
      'question',
      'mostInRoom',
      'isReserved',
      'remembered',
      'longestMs',
      'keptMs',
    ],
  },
  new URL('./scripts/start.lua', import.meta.url),
);
const chunkScript = new ConditionalAppend(
  { keys: ['turn', 'text'], args: ['owner', 'seq', 'added', 'body', 'keptMs'] },
  new URL('./scripts/chunk.lua', import.meta.url),
);
const endScript = new ConditionalAppend(
  {
    keys: ['turn', 'text', 'runningIn', 'ownedBy'],
    args: ['id', 'state', 'owner', 'byOwner', 'wholeText', 'lastSeq', 'reason', 'keptMs'],
  },
  new URL('./scripts/end.lua', import.meta.url),
);

export interface TurnPreconditionsOptions {
  /** Prefix of every key. */
  readonly deployment: string;
  readonly keys: AnswerKeys;
  readonly memory: MemoryTurns;
  readonly limits: AnswerLimits;
}

/** On what each message of a turn depends, wherever its room's log is kept. */
export class TurnPreconditions {
  readonly #options: TurnPreconditionsOptions;

  constructor(options: TurnPreconditionsOptions) {
    this.#options = options;
  }

  /**
   * Rejects with `mine`, `known`, `ended`, `dead`, `room` or `subject`, as `start.lua` says.
   * @param isReserved the subject may have one more
   */
  start(turn: Turn, prompt: string, isReserved: boolean): Precondition {
    const { deployment, keys, memory, limits } = this.#options;
    const question: Question = { turn: turn.turn, seq: 0, prompt, by: turn.subject };
    const asked = startScript.asked(
      {
        ...keysOf(keys, turn),
        turnsOf: keys.turnsOf(turn.room),
        fence: fenceKey(deployment, bucketOfTurn(turn.turn) as string),
      },
      {
        id: turn.turn,
        owner: turn.owner,
        room: turn.room,
        subject: turn.subject,
        prompt,
        question: JSON.stringify(question),
        mostInRoom: limits.running,
        isReserved: isReserved ? 1 : 0,
        remembered: limits.turnsRemembered,
        longestMs: limits.timeMs,
        keptMs: limits.keptMs,
      },
    );
    return { ...asked, evaluate: () => memory.start(turn, prompt, question) };
  }

  /** Rejects with `repeated`, `unknown`, `lost` or the state that the turn ended in, as `chunk.lua` says. */
  chunk(turn: Turn, seq: number, text: string): Precondition {
    const { keys, memory, limits } = this.#options;
    const tokens: Tokens = { turn: turn.turn, seq, text };
    const asked = chunkScript.asked(keysOf(keys, turn), {
      owner: turn.owner,
      seq,
      added: jsonInside(text),
      body: JSON.stringify(tokens),
      keptMs: limits.keptMs,
    });
    return { ...asked, evaluate: () => memory.chunk(turn, tokens) };
  }

  /** Rejects with `ended`, `unknown` or `lost`, as `end.lua` says. */
  end(turn: Turn, ending: Ending): Precondition {
    const { keys, memory, limits } = this.#options;
    const { state, reason, whole } = ending;
    const asked = endScript.asked(keysOf(keys, turn), {
      id: turn.turn,
      state,
      owner: turn.owner,
      byOwner: whole ? 1 : 0,
      wholeText: jsonInside(whole?.text ?? ''),
      lastSeq: whole?.seq ?? 0,
      reason: reason === undefined ? '' : JSON.stringify(reason),
      keptMs: limits.keptMs,
    });
    return { ...asked, evaluate: () => memory.end(turn, ending) };
  }
}

function keysOf(keys: AnswerKeys, { turn, room, owner }: Turn) {
  return {
    turn: keys.turn(turn),
    text: keys.text(turn),
    runningIn: keys.runningIn(room),
    ownedBy: keys.ownedBy(owner, bucketOfTurn(turn) as string),
  };
}
