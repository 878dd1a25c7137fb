import { LRUCache } from 'lru-cache';
import type { Final, Question, Tokens } from '../../protocol/answers.ts';
import type { Evaluation, Rejected } from '../rooms/log/log.ts';
import type { AnswerLimits, Ending, Exchange, Turn, TurnState } from './turn.ts';

interface Kept extends Turn {
  readonly prompt: string;
  readonly until: number;
  readonly state: TurnState;
  readonly seq: number;
  readonly text: string;
}

/** Bounds what is kept of turns that have ended; those under way are used all the time and stay. */
const mostTurns = 2_000;
const mostCharacters = 20_000_000;

/** The turns of this process: evaluates preconditions as the scripts do, for logs in memory. */
export class MemoryTurns {
  readonly #limits: AnswerLimits;
  readonly #turns: LRUCache<string, Kept>;

  constructor(limits: AnswerLimits) {
    this.#limits = limits;
    this.#turns = new LRUCache<string, Kept>({
      max: mostTurns,
      maxSize: mostCharacters,
      sizeCalculation: ({ prompt, text }) => prompt.length + text.length + 1,
      ttl: limits.keptMs,
    });
  }

  start(turn: Turn, prompt: string, question: Question): Evaluation {
    const known = this.find(turn.turn);
    if (known && !isRunning(known)) return rejected('ended');
    if (known) return rejected(known.owner === turn.owner ? 'mine' : 'known');
    const running = [...this.#turns.values()].filter(isRunning);
    if (running.filter(({ room }) => room === turn.room).length >= this.#limits.running)
      return rejected('room');
    if (running.filter(({ subject }) => subject === turn.subject).length >= this.#limits.runningOfSubject)
      return rejected('subject');
    const until = Date.now() + this.#limits.timeMs;
    this.#turns.set(turn.turn, { ...turn, prompt, until, state: 'running', seq: 0, text: '' });
    return { body: JSON.stringify(question) };
  }

  chunk({ turn, owner }: Turn, tokens: Tokens): Evaluation {
    const known = this.find(turn);
    if (!known) return rejected('unknown');
    if (known.state !== 'running') return rejected(known.state);
    if (known.owner !== owner) return rejected('lost');
    if (known.seq >= tokens.seq) return rejected('repeated');
    this.#turns.set(turn, { ...known, seq: tokens.seq, text: known.text + tokens.text });
    return { body: JSON.stringify(tokens) };
  }

  end(turn: Turn, { state, reason, whole }: Ending): Evaluation {
    const known = this.find(turn.turn);
    if (known && known.state !== 'running') return rejected('ended');
    if (known && known.owner !== turn.owner) return rejected('lost');
    if (!known && !whole) return rejected('unknown');
    const seq = Math.max(known?.seq ?? 0, whole?.seq ?? 0) + 1;
    const text = whole?.text ?? known?.text ?? '';
    const { prompt, until } = known ?? { prompt: '', until: 0 };
    this.#turns.set(turn.turn, { ...turn, prompt, until, state, seq, text });
    const final: Final = { turn: turn.turn, seq, final: state, ...(reason && { reason }), text };
    return { body: JSON.stringify(final) };
  }

  find(turn: string): Kept | undefined {
    return this.#turns.get(turn);
  }

  /** Of turns that have ended, oldest first. */
  exchangesIn(room: string): Exchange[] {
    const ofRoom = [...this.#turns.values()].filter((turn) => turn.room === room && !isRunning(turn));
    const inOrder = ofRoom.sort((one, other) => one.until - other.until).slice(-this.#limits.turnsRemembered);
    return inOrder.map(({ prompt, text }) => ({ prompt, answer: text }));
  }
}

function isRunning({ state }: Kept): boolean {
  return state === 'running';
}

function rejected(why: string): Rejected {
  return { rejected: why };
}
