import type { Logger } from 'pino';
import { type AskReply, type AskRequest, answerFrom } from '../../protocol/answers.ts';
import type { Leases } from '../leases/leases.ts';
import type { ModelMessage, ModelProvider } from '../models/provider.ts';
import { faultIn, type RedisAccess } from '../redis/access.ts';
import type { HubRooms } from '../rooms/hub-rooms.ts';
import { type NewRoom, NewRoomError, RefusedError, UncertainError } from '../rooms/log/log.ts';
import { RpcError } from '../rooms/rpc.ts';
import { endTurnsOf, Generation, type GenerationContext, retryUntilAvailable } from './generation.ts';
import { answerKeys } from './keys.ts';
import { MemoryTurns } from './memory-turns.ts';
import { TurnPreconditions } from './preconditions.ts';
import { Reservations } from './reservations.ts';
import {
  type AnswerLimits,
  defaultAnswerLimits,
  type Exchange,
  type Turn,
  type TurnState,
  turnOf,
} from './turn.ts';
import { TurnReader } from './turn-reader.ts';

export interface AnswersOptions {
  /** The hub in whose rooms the answers are published. */
  readonly hub: string;
  readonly rooms: Pick<HubRooms, 'publishIf'>;
  /** Absent in single-instance mode. */
  readonly links?: RedisAccess | undefined;
  /** Prefix of every key. */
  readonly deployment: string;
  readonly leases: Pick<Leases, 'owner' | 'onExpired'>;
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
   * @throws RpcError; `refused` and `unavailable` may go well later, `uncertain` is settled by the same id
   */
  ask(subject: string, request: AskRequest, options?: AskOptions): Promise<AskReply>;
  /**
   * The turn that such a question has already, with what was said of its answer once it has ended; undefined: it would be
   * a new one. @throws RpcError `refused` when turns can't be read now
   */
  find(subject: string, request: AskRequest): Promise<KnownTurn | undefined>;
  /**
   * Ends an answer, on whichever instance it is made; one that has ended stays as it is.
   * @throws RpcError when it is not known, or another's
   */
  cancel(subject: string, turn: string): Promise<void>;
  /** Ends what is under way here as `interrupted`; within 3 s, and what is not published by then is published by others. */
  close(): Promise<void>;
}

/** A turn, as a repeated question finds it. */
export interface KnownTurn {
  readonly turn: string;
  readonly state: TurnState;
  /** Undefined while it is under way, and when it is kept no more. */
  readonly text: string | undefined;
}

export interface AskOptions {
  /**
   * False: the model is given nothing of the room but the prompt, as it must be where the asker may not see all of the
   * room. @default true
   */
  readonly remembers?: boolean;
  /** What the asker may do in a room that nothing is kept of yet. @default whatever it likes */
  readonly newRoom?: NewRoom | undefined;
}

interface Asked extends AskOptions {
  readonly turn: Turn;
  readonly prompt: string;
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
    const preconditions = new TurnPreconditions({ deployment, keys, memory, limits: this.#limits });
    const reader = new TurnReader({ links, keys, memory });
    const reservations = new Reservations({
      links,
      keys,
      limits: this.#limits,
      log,
      runningHere: (subject) => this.#runningOf(subject),
    });
    this.#context = { rooms, provider, preconditions, reader, reservations, limits: this.#limits, log };
    this.#endSweeping = leases.onExpired((owner) => endTurnsOf(owner, this.#context));
  }

  async ask(subject: string, { room, id, prompt }: AskRequest, options: AskOptions = {}): Promise<AskReply> {
    const { hub, leases } = this.#options;
    const turn = { turn: turnOf(hub, room, subject, id), room, subject, owner: leases.owner };
    this.#mayStart(turn, prompt);
    if (!this.#running.has(turn.turn)) await this.#startOnce({ ...options, turn, prompt });
    return { turn: turn.turn };
  }

  async find(subject: string, { room, id }: AskRequest): Promise<KnownTurn | undefined> {
    if (id === undefined) return undefined;
    const turn = turnOf(this.#options.hub, room, subject, id);
    const { reader } = this.#context;
    const found = await reader.find(turn).catch(unreadable).catch(refuse);
    if (!found) return undefined;
    const { state } = found;
    const text = state === 'running' ? undefined : await reader.textOf(turn).catch(unreadable).catch(refuse);
    return { turn, state, text };
  }

  async cancel(subject: string, turn: string): Promise<void> {
    const { reader, reservations, preconditions, rooms } = this.#context;
    const found = await reader.find(turn).catch(unreadable).catch(refuse);
    if (!found) throw new RpcError('bad_request', 'turn: it is not known, or ended long ago');
    if (found.subject !== subject) throw new RpcError('forbidden', 'only who asked may cancel');
    const givenBack = reservations.giveBack(found);
    const message = { id: `${turn}:final`, from: answerFrom };
    await rooms
      .publishIf(found.room, message, preconditions.end(found, { state: 'cancelled' }))
      .catch(refuse);
    this.#running.get(turn)?.fallSilent();
    await givenBack;
  }

  async close(): Promise<void> {
    this.#closing.abort(new RpcError('unavailable', 'this instance is leaving: ask again'));
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
      throw new RpcError('bad_request', `prompt: must have at most ${this.#limits.prompt} characters`);
    }
    const isKnown = this.#running.has(turn) || this.#starting.has(turn);
    if (!isKnown && this.#running.size + this.#starting.size >= this.#limits.runningHere) {
      throw new RpcError('refused', 'this instance makes as many answers as it can: ask again soon');
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
      if (error instanceof UncertainError) setImmediate(() => this.#startLater(asked));
      refuse(error);
    }
  }

  #startLater(asked: Asked): void {
    const { turn } = asked;
    if (this.#starting.has(turn.turn) || this.#running.has(turn.turn)) return;
    const starting = retryUntilAvailable(() => this.#tryStart(asked), this.#closing.signal)
      .catch(refuse)
      .finally(() => this.#starting.delete(turn.turn));
    starting.catch(() => undefined);
    this.#starting.set(turn.turn, starting);
  }

  /** @throws RefusedError, UncertainError, RpcError */
  async #tryStart(asked: Asked): Promise<void> {
    const { turn, prompt, remembers = true } = asked;
    const { reader, reservations } = this.#context;
    const exchanges = remembers ? await reader.exchangesIn(turn.room).catch(unreadable) : [];
    const isReserved = await reservations.reserve(turn);
    const rejected = await this.#publishQuestion(asked, isReserved).catch((error) => {
      // What may have been written is settled by the next try, or is over by itself.
      if (!(error instanceof UncertainError)) void reservations.giveBack(turn);
      throw error;
    });
    if (rejected === 'known') return;
    if (rejected === undefined || rejected === 'mine') {
      return this.#generate(turn, conversationOf(exchanges, prompt, this.#limits));
    }
    if (isReserved) await reservations.giveBack(turn);
    if (rejected !== 'ended') throw this.#refusalOf(rejected);
  }

  /** @returns why not, as `start.lua` says */
  async #publishQuestion({ turn, prompt, newRoom }: Asked, isReserved: boolean): Promise<string | undefined> {
    const { preconditions, rooms } = this.#context;
    const message = { id: `${turn.turn}:0`, from: answerFrom, newRoom };
    const precondition = preconditions.start(turn, prompt, isReserved);
    const outcome = await rooms.publishIf(turn.room, message, precondition);
    return 'rejected' in outcome ? outcome.rejected : undefined;
  }

  #refusalOf(rejected: string): RpcError {
    const { running, runningOfSubject } = this.#limits;
    if (rejected === 'room') return tooMany(`this room waits for ${running} answers`);
    if (rejected === 'subject') return tooMany(`you wait for ${runningOfSubject} answers`);
    return new RpcError('refused', 'this instance was taken for dead, and joins anew: ask again');
  }

  #runningOf(subject: string): number {
    return [...this.#running.values()].filter(({ turn }) => turn.subject === subject).length;
  }

  #generate(turn: Turn, messages: ReturnType<typeof conversationOf>): void {
    if (this.#running.has(turn.turn)) return;
    const generation = new Generation(turn, messages, this.#context);
    this.#running.set(turn.turn, generation);
    if (this.#closing.signal.aborted) generation.interrupt();
    void generation.ended.then(() => this.#running.delete(turn.turn));
  }
}

function tooMany(what: string): RpcError {
  return new RpcError('refused', `${what} already: ask again when one has ended`);
}

function refuse(error: unknown): never {
  if (error instanceof NewRoomError) throw new RpcError('rate_limited', error.message);
  if (error instanceof RefusedError) throw new RpcError('refused', error.message, { cause: error.cause });
  if (error instanceof UncertainError) throw new RpcError('uncertain', error.message, { cause: error.cause });
  throw error;
}

function unreadable(error: Error): never {
  throw new RefusedError("turns can't be read now: try again", { cause: faultIn(error) });
}

/**
 * What the model is given: the newest turns of the room that fit, whoever asked, and the question. A turn that
 * said nothing is left out, so that question and answer alternate, as models require.
 */
function conversationOf(
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
