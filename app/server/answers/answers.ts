import type { Logger } from 'pino';
import { type AskAnswer, type AskRequest, answerFrom } from '../../protocol/answers.ts';
import type { Leases } from '../leases/leases.ts';
import type { ModelProvider } from '../models/provider.ts';
import { MethodRefusal } from '../rooms/answer.ts';
import type { AttachedRooms } from '../rooms/attach.ts';
import { RefusedError, UncertainError } from '../rooms/log.ts';
import { TurnConditions } from './conditions.ts';
import { conversationOf } from './conversation.ts';
import { endTurnsOf } from './dead-owner.ts';
import { Generation, type GenerationContext } from './generation.ts';
import { insist } from './insist.ts';
import { answerKeys } from './keys.ts';
import { type AnswerLimits, defaultAnswerLimits } from './limits.ts';
import { MemoryTurns } from './memory-turns.ts';
import { type Turn, turnOf } from './turn.ts';
import { type AnswerLinks, TurnReader } from './turn-reader.ts';

export interface AnswersOptions {
  /** The hub whose rooms the answers are told in. */
  readonly hub: string;
  readonly rooms: Pick<AttachedRooms, 'publishIf'>;
  /** Absent in single-instance mode. */
  readonly links?: AnswerLinks | undefined;
  /** Prefix of every key. */
  readonly deployment: string;
  readonly leases: Pick<Leases, 'owner' | 'onDead'>;
  readonly provider: ModelProvider;
  readonly log: Logger;
  readonly limits?: Partial<AnswerLimits>;
}

/** AI answers in a hub's rooms: any instance may be asked, one makes the answer, and all tell the same. */
export interface Answers {
  /**
   * Starts an answer; its question, its tokens and its end are messages of the room. The caller has looked
   * whether the subject may ask there.
   *
   * @param options.remembers false: the model is given nothing of the room but the prompt, as it must be where the
   * asker may not see all of the room. @default true
   * @throws MethodRefusal; `refused` and `unavailable` may go well later, `uncertain` is settled by the same id
   */
  ask(subject: string, request: AskRequest, options?: { remembers?: boolean }): Promise<AskAnswer>;
  /**
   * Ends an answer, on whichever instance it is made; one that has ended stays as it is.
   * @throws MethodRefusal when it is not known, or another's
   */
  cancel(subject: string, turn: string): Promise<void>;
  /** Ends what is under way here as `interrupted`; within 3 s, and what is not told then is told by others. */
  close(): Promise<void>;
}

interface Asked {
  readonly turn: Turn;
  readonly prompt: string;
  readonly remembers: boolean;
}

const longestCloseMs = 3_000;

export function openAnswers(options: AnswersOptions): Answers {
  return new HubAnswers(options);
}

class HubAnswers implements Answers {
  readonly #options: AnswersOptions;
  readonly #limits: AnswerLimits;
  readonly #context: GenerationContext;
  readonly #running = new Map<string, Generation>();
  /** Asks that the log has not answered yet: a repeat waits for the first. */
  readonly #starting = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  readonly #endSweeping: () => void;

  constructor(options: AnswersOptions) {
    const { hub, deployment, links, rooms, leases, provider, log } = options;
    this.#options = options;
    this.#limits = { ...defaultAnswerLimits, ...options.limits };
    const keys = answerKeys(deployment, hub);
    const memory = new MemoryTurns(this.#limits);
    const conditions = new TurnConditions({ keys, memory, limits: this.#limits });
    const reader = new TurnReader({ links, keys, memory });
    this.#context = { rooms, provider, conditions, reader, limits: this.#limits, log };
    this.#endSweeping = leases.onDead((owner) => endTurnsOf(owner, this.#context));
  }

  async ask(
    subject: string,
    { room, id, prompt }: AskRequest,
    { remembers = true }: { remembers?: boolean } = {},
  ): Promise<AskAnswer> {
    const { hub, leases } = this.#options;
    const turn = { turn: turnOf(hub, room, subject, id), room, subject, owner: leases.owner };
    this.#mayStart(turn, prompt);
    if (!this.#running.has(turn.turn)) await this.#startOnce({ turn, prompt, remembers });
    return { turn: turn.turn };
  }

  async cancel(subject: string, turn: string): Promise<void> {
    const { reader, conditions, rooms } = this.#context;
    const found = await reader.find(turn).catch(unreadable).catch(refuse);
    if (!found) throw new MethodRefusal('bad_request', 'turn: it is not known, or ended long ago');
    if (found.subject !== subject) throw new MethodRefusal('forbidden', 'only who asked may cancel');
    const message = { id: `${turn}:final`, from: answerFrom };
    await rooms.publishIf(found.room, message, conditions.end(found, { state: 'cancelled' })).catch(refuse);
    this.#running.get(turn)?.fallSilent();
  }

  async close(): Promise<void> {
    this.#closing.abort(new MethodRefusal('unavailable', 'this instance is leaving: ask again'));
    this.#endSweeping();
    const running = [...this.#running.values()];
    for (const generation of running) generation.interrupt();
    const timer = setTimeout(() => {
      for (const generation of running) generation.giveUp();
    }, longestCloseMs);
    await Promise.all(running.map(({ ended }) => ended));
    clearTimeout(timer);
  }

  #mayStart({ turn }: Turn, prompt: string): void {
    this.#closing.signal.throwIfAborted();
    if (prompt.length > this.#limits.prompt) {
      throw new MethodRefusal('bad_request', `prompt: must have at most ${this.#limits.prompt} characters`);
    }
    const isKnown = this.#running.has(turn) || this.#starting.has(turn);
    if (!isKnown && this.#running.size + this.#starting.size >= this.#limits.runningHere) {
      throw new MethodRefusal('refused', 'this instance makes as many answers as it can: ask again soon');
    }
  }

  #startOnce(asked: Asked): Promise<void> {
    const { turn } = asked;
    const known = this.#starting.get(turn.turn);
    if (known) return known;
    const starting = this.#start(asked).finally(() => this.#starting.delete(turn.turn));
    this.#starting.set(turn.turn, starting);
    return starting;
  }

  async #start(asked: Asked): Promise<void> {
    try {
      await this.#tryStart(asked);
    } catch (error) {
      // It may run in this instance's name, so someone must make it: the log says whether.
      if (error instanceof UncertainError) setImmediate(() => this.#settle(asked));
      refuse(error);
    }
  }

  #settle(asked: Asked): void {
    const { turn } = asked;
    if (this.#starting.has(turn.turn) || this.#running.has(turn.turn)) return;
    const settling = insist(() => this.#tryStart(asked), this.#closing.signal)
      .catch(refuse)
      .finally(() => this.#starting.delete(turn.turn));
    settling.catch(() => undefined);
    this.#starting.set(turn.turn, settling);
  }

  /** @throws RefusedError, UncertainError, MethodRefusal */
  async #tryStart({ turn, prompt, remembers }: Asked): Promise<void> {
    const { reader, conditions, rooms } = this.#context;
    const exchanges = remembers ? await reader.exchangesIn(turn.room).catch(unreadable) : [];
    const message = { id: `${turn.turn}:0`, from: answerFrom };
    const outcome = await rooms.publishIf(turn.room, message, conditions.start(turn, prompt));
    const withheld = 'withheld' in outcome ? outcome.withheld : undefined;
    if (withheld === 'known') return;
    if (withheld === 'room') throw tooMany(`this room waits for ${this.#limits.running} answers`);
    if (withheld === 'subject') throw tooMany(`you wait for ${this.#limits.runningOfSubject} answers`);
    this.#generate(turn, conversationOf(exchanges, prompt, this.#limits));
  }

  #generate(turn: Turn, messages: ReturnType<typeof conversationOf>): void {
    if (this.#running.has(turn.turn)) return;
    const generation = new Generation(turn, messages, this.#context);
    this.#running.set(turn.turn, generation);
    if (this.#closing.signal.aborted) generation.interrupt();
    void generation.ended.then(() => this.#running.delete(turn.turn));
  }
}

function tooMany(what: string): MethodRefusal {
  return new MethodRefusal('refused', `${what} already: ask again when one has ended`);
}

function refuse(error: unknown): never {
  if (error instanceof RefusedError) throw new MethodRefusal('refused', error.message);
  if (error instanceof UncertainError) throw new MethodRefusal('uncertain', error.message);
  throw error;
}

function unreadable(error: Error): never {
  throw new RefusedError(`turns can't be read now: ${error.message}`);
}
