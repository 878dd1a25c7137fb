import { setTimeout as delay } from 'node:timers/promises';
import { describeMoves, sendAway, untilElsewhere } from '../absence.ts';
import { AnswerWatch, type Heard } from '../answer-watch.ts';
import { type Check, CheckFailure, CheckSkip, type Context } from '../check.ts';
import type { ContractClient } from '../contract-client.ts';
import { explainAnswer } from '../explain-answer.ts';
import { type Placement, placeOnEach } from '../placement.ts';
import type { PlainClient } from '../plain-client.ts';
import { enterAll } from '../round.ts';
import { until } from '../wait.ts';
import { count, list } from '../words.ts';

const hub = 'llm';
/** A listener, and one that moves. */
const listenersEach = 2;
/** The offline model takes 30 ms a word: long enough to move in the middle, and paid for with cents elsewhere. */
const words = 60;
const wordsToCancel = 300;
/** Chunks after which it is in the middle of it. */
const someChunks = 3;
/** What comes behind an end is looked for this long, in milliseconds. */
const latenessMs = 300;

export const aiStream: Check = {
  name: 'ai-stream',
  title: 'An AI answer streams to everyone, token by token, wherever they are and go',
  needs: [],
  run: async (context) => {
    const { byInstance, clients } = await placeListeners(context);
    const askers = (await placeOnEach(context, 1, 'one-sender', { hub })).clients;
    const room = context.clients.newRoom();
    const watches = new Map<ContractClient, AnswerWatch>();
    for (const client of clients) watches.set(client, new AnswerWatch());
    await enterAll(clients, room, (client) => ({
      onMessage: (message) => watches.get(client)?.hear(message),
    }));
    const scene = { room, watches, asker: askers[0] as PlainClient };
    const mover = [...byInstance.values()].at(-1)?.[1] as ContractClient;
    const whole = await streamWhole(context, scene, mover, byInstance.size);
    const cancelled = await cancelFromElsewhere(context, scene, askers);
    await delay(latenessMs, undefined, { signal: context.signal });
    const heard = judge(scene, whole.turn, 'done');
    judge(scene, cancelled.turn, 'cancelled');
    const where = `${count(clients.length, 'client')} on ${count(byInstance.size, 'instance')}`;
    return {
      proved: `${count(heard.chunks, 'chunk')} of an answer at each of ${where}, once, in order and together its whole text${whole.words}; ${cancelled.words}`,
      notProved:
        byInstance.size > 1 ? [] : ['that an answer follows its readers to another instance: there is one'],
    };
  },
};

interface Scene {
  readonly room: string;
  readonly watches: ReadonlyMap<ContractClient, AnswerWatch>;
  readonly asker: PlainClient;
}

async function placeListeners(context: Context): Promise<Placement<ContractClient>> {
  try {
    return await placeOnEach(context, listenersEach, 'application', { hub });
  } catch (error) {
    const isAbsent = error instanceof CheckFailure && error.fault.found.includes('Invalid namespace');
    if (isAbsent) throw new CheckSkip(`this service has no hub ${hub}`);
    throw error;
  }
}

interface Told {
  readonly turn: string;
  readonly words: string;
}

/** Chance decides where a client comes back: it is sent away until it was served elsewhere. */
async function streamWhole(
  context: Context,
  scene: Scene,
  mover: ContractClient,
  instances: number,
): Promise<Told> {
  const turn = await ask(context, scene, words);
  const watch = scene.watches.get(mover) as AnswerWatch;
  await until(() => watch.chunksOf(turn) >= someChunks || watch.hasEnded(turn), context);
  const isUnderWay = !watch.hasEnded(turn);
  const moves =
    instances > 1 && isUnderWay
      ? await untilElsewhere([mover], instances, (some) => sendAway(context, some, async () => undefined))
      : [];
  await untilEnded(context, scene, turn);
  judge(scene, turn, 'done');
  return { turn, words: moves.length > 0 ? `, one that moved meanwhile (${describeMoves(moves)}) too` : '' };
}

async function cancelFromElsewhere(
  context: Context,
  scene: Scene,
  askers: readonly PlainClient[],
): Promise<Told> {
  const turn = await ask(context, scene, wordsToCancel);
  const all = [...scene.watches.values()];
  await until(
    () => all.every((watch) => watch.chunksOf(turn) >= someChunks || watch.hasEnded(turn)),
    context,
  );
  // At once from two, the instance that makes it among them where there are two: it must end once all the same.
  const cancelling = askers.length > 1 ? [askers[0], askers.at(-1)] : askers;
  try {
    await Promise.all(cancelling.map((asker) => asker?.cancel(turn)));
  } catch (error) {
    throw new CheckFailure(explainAnswer(`an answer was not cancelled: ${(error as Error).message}`, []));
  }
  await untilEnded(context, scene, turn);
  const from = cancelling.map((asker) => asker?.instance ?? '');
  return {
    turn,
    words: `another one cancelled from ${list(from)}${from.length > 1 ? ' at once' : ''}, ended once`,
  };
}

async function ask({ clients }: Context, { room, asker }: Scene, most: number): Promise<string> {
  // Not asked before, so that no cache has the answer.
  const prompt = `Count to ${most}, numbers alone, separated by spaces. (${clients.newRoom()})`;
  try {
    return await asker.ask(room, prompt);
  } catch (error) {
    throw new CheckFailure(explainAnswer(`a question was not taken: ${(error as Error).message}`, []));
  }
}

async function untilEnded(context: Context, { watches }: Scene, turn: string): Promise<void> {
  await until(() => [...watches.values()].every((watch) => watch.hasEnded(turn)), context);
}

/** @throws CheckFailure unless everyone heard the same, once, with this end */
function judge({ watches }: Scene, turn: string, state: string): Heard {
  const all = [...watches].map(([client, watch]) => ({ instance: client.instance, ...watch.of(turn) }));
  const isRight = (heard: Heard) =>
    heard.repeated + heard.missing + heard.outOfOrder + heard.late === 0 &&
    heard.finals.length === 1 &&
    heard.finals[0]?.final === state &&
    heard.isWhole;
  const wrong = all.filter((heard) => !isRight(heard));
  if (wrong.length > 0) {
    const what = `${wrong.length} of ${count(all.length, 'client')} heard an answer wrongly`;
    throw new CheckFailure(explainAnswer(what, wrong, state));
  }
  return all[0] as Heard;
}
