import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { answerFrom } from '../../protocol/answers.ts';
import { ModelError, type ModelFault, type ModelMessage, type ModelProvider } from '../models/provider.ts';
import { settleInPortions, throwFirst } from '../redis/settled.ts';
import type { HubRooms } from '../rooms/hub-rooms.ts';
import { type Precondition, RefusedError, UncertainError } from '../rooms/log/log.ts';
import { coalesce } from './coalesce.ts';
import type { TurnPreconditions } from './preconditions.ts';
import type { Reservations } from './reservations.ts';
import type { AnswerLimits, Ending, Turn } from './turn.ts';
import type { TurnReader } from './turn-reader.ts';

export interface GenerationContext {
  readonly rooms: Pick<HubRooms, 'publishIf'>;
  readonly provider: ModelProvider;
  readonly preconditions: TurnPreconditions;
  readonly reader: TurnReader;
  readonly reservations: Reservations;
  readonly limits: AnswerLimits;
  readonly log: Logger;
}

/** What users read of a model's fault; the log says more. */
const reasonsOfFaults: Readonly<Record<ModelFault, string>> = {
  busy: 'the model is busy: ask again later',
  misconfigured: "the model can't be used now: whoever runs this service can see why",
  rejected: 'the model does not take this question',
  broken: 'the model broke off: ask again',
};

/** While a model says nothing, the turn is looked at this often: someone elsewhere may have cancelled it. */
const lookEveryMs = 2_000;

/** An answer under way on the instance that owns it: from the model, chunk by chunk, into the room's log. */
export class Generation {
  readonly turn: Turn;
  /** Resolves when its end was published, by whomever, or it was given up. */
  readonly ended: Promise<void>;
  readonly #context: GenerationContext;
  readonly #stop = new AbortController();
  readonly #giveUp = new AbortController();
  #text = '';
  #seq = 0;
  #isCut = false;

  constructor(turn: Turn, messages: readonly ModelMessage[], context: GenerationContext) {
    this.turn = turn;
    this.#context = context;
    this.ended = this.#run(messages);
  }

  /** Ends it, and says so with what there is. */
  interrupt(): void {
    this.#stop.abort(new Stopped({ state: 'interrupted', reason: 'the instance that answered is leaving' }));
  }

  /** Its end was published elsewhere: it stops without a word. */
  fallSilent(): void {
    this.#stop.abort(new Stopped(undefined));
  }

  /** Tries no more to publish its end: it is left to those who come after this instance. */
  giveUp(): void {
    this.#giveUp.abort();
  }

  async #run(messages: readonly ModelMessage[]): Promise<void> {
    const { timeMs } = this.#context.limits;
    const late = { state: 'failed', reason: `the answer took longer than ${timeMs / 1_000} s` } as const;
    const timer = setTimeout(() => this.#stop.abort(new Stopped(late)), timeMs);
    const looking = setInterval(() => void this.#look(), lookEveryMs);
    const ending = await this.#stream(messages).catch((error: unknown) => this.#explain(error));
    clearTimeout(timer);
    clearInterval(looking);
    // The model is to stop as well, whatever ended the answer.
    this.fallSilent();
    void this.#context.reservations.giveBack(this.turn);
    if (ending) await this.#publishEnd(ending).catch(() => undefined);
  }

  async #stream(messages: readonly ModelMessage[]): Promise<Ending> {
    const { limits } = this.#context;
    const { signal } = this.#stop;
    const source = this.#capped(this.#context.provider.stream({ messages, signal }));
    const chunks = coalesce(source, { everyMs: limits.chunkEveryMs, most: limits.chunk, signal });
    for await (const chunk of chunks) await this.#append(chunk);
    return {
      state: 'done',
      ...(this.#isCut && { reason: `an answer has at most ${limits.answer} characters` }),
    };
  }

  async *#capped(source: AsyncIterable<string>): AsyncIterable<string> {
    let left = this.#context.limits.answer;
    for await (const text of source) {
      this.#isCut = text.length > left;
      yield text.slice(0, left);
      left -= text.length;
      if (this.#isCut) return;
    }
  }

  /** @throws Stopped when the turn is not this instance's any more */
  async #append(text: string): Promise<void> {
    this.#seq += 1;
    this.#text += text;
    const seq = this.#seq;
    const precondition = this.#context.preconditions.chunk(this.turn, seq, text);
    const outcome = await retryUntilAvailable(
      () => this.#publish(String(seq), precondition),
      this.#stop.signal,
    );
    if (!('rejected' in outcome) || outcome.rejected === 'repeated') return;
    throw new Stopped(outcome.rejected === 'unknown' ? lost : undefined);
  }

  async #publishEnd(ending: Ending): Promise<void> {
    const whole = { text: this.#text, seq: this.#seq };
    const precondition = this.#context.preconditions.end(this.turn, { ...ending, whole });
    await retryUntilAvailable(() => this.#publish('final', precondition), this.#giveUp.signal);
  }

  #publish(part: string, precondition: Precondition) {
    const { turn, room } = this.turn;
    return this.#context.rooms.publishIf(room, { id: `${turn}:${part}`, from: answerFrom }, precondition);
  }

  async #look(): Promise<void> {
    const found = await this.#context.reader.find(this.turn.turn).catch(() => undefined);
    if (found && found.state !== 'running') this.fallSilent();
  }

  /** @returns undefined when there is nothing to tell */
  #explain(error: unknown): Ending | undefined {
    const cause = this.#stop.signal.aborted ? this.#stop.signal.reason : error;
    if (cause instanceof Stopped) return cause.ending;
    const { log, provider } = this.#context;
    const fault = cause instanceof ModelError ? cause.fault : 'broken';
    const line = { turn: this.turn.turn, model: provider.name, fault };
    if (cause instanceof ModelError) log.error(line, cause.message);
    else log.error({ ...line, err: cause }, 'an answer failed');
    return { state: 'failed', reason: reasonsOfFaults[fault] };
  }
}

/** Redis lost the turn in a failover, or forgot it: its owner alone can still say how it ended. */
const lost: Ending = { state: 'interrupted', reason: 'the answer was lost on its way' };

/** Ends a generation; without an ending it has been published already. */
class Stopped extends Error {
  readonly ending: Ending | undefined;

  constructor(ending: Ending | undefined) {
    super('stopped');
    this.ending = ending;
  }
}

/**
 * Ends what a dead instance was answering, each turn once, whoever else does it too: with the text that stands
 * in the log.
 *
 * @throws RefusedError, UncertainError, Error while Redis is away: to be done again
 */
export async function endTurnsOf(
  owner: string,
  context: Pick<GenerationContext, 'reader' | 'reservations' | 'preconditions' | 'rooms' | 'log'>,
): Promise<void> {
  const { reader, log } = context;
  const { answers: turns, fault } = await reader.ownedBy(owner);
  const ended = await settleInPortions(turns, turnsAtOnce, (turn) => endTurnOf(owner, turn, context));
  if (turns.length > 0)
    log.warn({ owner, turns: turns.length }, 'ended the answers of an instance that failed');
  throwFirst(ended.fault, fault);
}

const turnsAtOnce = 20;

async function endTurnOf(
  owner: string,
  turn: string,
  {
    reader,
    reservations,
    preconditions,
    rooms,
  }: Pick<GenerationContext, 'reader' | 'reservations' | 'preconditions' | 'rooms'>,
): Promise<void> {
  const found = await reader.find(turn);
  if (!found) return reader.forget(turn, owner);
  void reservations.giveBack(found);
  const ending = { state: 'interrupted', reason: 'the instance that answered has failed' } as const;
  const message = { id: `${turn}:final`, from: answerFrom };
  await rooms.publishIf(found.room, message, preconditions.end(found, ending));
}

const firstPauseMs = 50;
const longestPauseMs = 1_000;

/**
 * Tries until the log has answered: through a Redis that stalls, fails over or is full. What is tried must be
 * fit to be repeated.
 *
 * @throws what the signal was aborted with; what is no matter of the log's being away
 */
export async function retryUntilAvailable<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof RefusedError || error instanceof UncertainError)) throw error;
    }
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries, 10));
    await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() =>
      signal.throwIfAborted(),
    );
  }
}
