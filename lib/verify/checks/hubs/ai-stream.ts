import { setTimeout as delay } from 'node:timers/promises';
import { AnswerRecord, type AnswerReport } from '../../accounting/answers.ts';
import {
  type Check,
  CheckFailure,
  type Context,
  type Fault,
  NotProvedError,
  unlessSeveral,
} from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import type { PlainClient } from '../../clients/plain-client.ts';
import { until } from '../../wait.ts';
import { count, list } from '../../wording.ts';
import { type Placement, placeOnEach } from '../connecting/placement.ts';
import { enterAll } from '../delivery/delivery.ts';
import { cutOff, describeReconnections, reconnectElsewhere } from '../delivery/reconnections.ts';

const hub = 'llm';
/** One client listens, one moves to another instance. */
const listenersEach = 2;
/** The offline model takes 30 ms for each word. That is long enough to move in the middle; other models cost cents. */
const words = 60;
const wordsToCancel = 300;
/** After so many chunks the answer is in the middle. */
const someChunks = 3;
/** How long messages after the end are looked for, in milliseconds. */
const latenessMs = 300;

export const aiStream: Check = {
  name: 'ai-stream',
  title: 'An AI answer streams to everyone, token by token, wherever they are and go',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const { byInstance, clients } = await placeListeners(context);
    const askers = (await placeOnEach(context, 1, 'one-sender', { hub })).clients;
    const room = context.clients.newRoom({ hub });
    const records = new Map(clients.map((client) => [client, new AnswerRecord()]));
    await enterAll(clients, room, (client) => ({
      onMessage: (message) => records.get(client)?.delivered(message),
    }));
    const scene = { room, records, asker: askers[0] as PlainClient };
    const mover = [...byInstance.values()].at(-1)?.[1] as ContractClient;
    const whole = await streamWhole(context, scene, mover, byInstance.size);
    const cancelled = await cancelFromElsewhere(context, scene, askers);
    await delay(latenessMs, undefined, { signal: context.signal });
    const report = assertRight(scene, whole.turn, 'done');
    assertRight(scene, cancelled.turn, 'cancelled');
    const where = `${count(clients.length, 'client')} on ${count(byInstance.size, 'instance')}`;
    return {
      proved: `${count(report.chunks, 'chunk')} of an answer at each of ${where}, once, in order and together its whole text${whole.words}; ${cancelled.words}`,
      notProved: unlessSeveral(byInstance.size, 'that an answer follows its readers to another instance'),
    };
  },
};

interface Scene {
  readonly room: string;
  readonly records: ReadonlyMap<ContractClient, AnswerRecord>;
  readonly asker: PlainClient;
}

async function placeListeners(context: Context): Promise<Placement<ContractClient>> {
  try {
    return await placeOnEach(context, listenersEach, 'application', { hub });
  } catch (error) {
    const isAbsent = error instanceof CheckFailure && error.fault.found.includes('Invalid namespace');
    if (isAbsent) throw new NotProvedError(`this service has no hub ${hub}`);
    throw error;
  }
}

interface Streamed {
  readonly turn: string;
  readonly words: string;
}

/** The proxy decides where a client comes back, so it is cut off until another instance serves it. */
async function streamWhole(
  context: Context,
  scene: Scene,
  mover: ContractClient,
  instances: number,
): Promise<Streamed> {
  const turn = await ask(context, scene, words);
  const record = scene.records.get(mover) as AnswerRecord;
  await until(() => isInMiddle(record, turn) || hasEnded(record, turn), context);
  const isUnderWay = !hasEnded(record, turn);
  const reconnections =
    instances > 1 && isUnderWay
      ? await reconnectElsewhere([mover], instances, (some) => cutOff(context, some, async () => undefined))
      : [];
  await untilEnded(context, scene, turn);
  assertRight(scene, turn, 'done');
  const moved = `, one that moved meanwhile (${describeReconnections(reconnections)}) too`;
  return { turn, words: reconnections.length > 0 ? moved : '' };
}

async function cancelFromElsewhere(
  context: Context,
  scene: Scene,
  askers: readonly PlainClient[],
): Promise<Streamed> {
  const turn = await ask(context, scene, wordsToCancel);
  const all = [...scene.records.values()];
  await until(() => all.every((record) => isInMiddle(record, turn) || hasEnded(record, turn)), context);
  // Two clients cancel at once, one of them on the instance that makes the answer if there are two. It must end once
  // nevertheless.
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
  // A new question, so that no cache has the answer.
  const prompt = `Count to ${most}, numbers alone, separated by spaces. (${clients.newName()})`;
  try {
    return await asker.ask(room, prompt);
  } catch (error) {
    throw new CheckFailure(explainAnswer(`a question was not accepted: ${(error as Error).message}`, []));
  }
}

async function untilEnded(context: Context, { records }: Scene, turn: string): Promise<void> {
  await until(() => [...records.values()].every((record) => hasEnded(record, turn)), context);
}

function isInMiddle(record: AnswerRecord, turn: string): boolean {
  return record.chunksOf(turn).length >= someChunks;
}

function hasEnded(record: AnswerRecord, turn: string): boolean {
  return record.finalsOf(turn).length > 0;
}

/** @throws CheckFailure unless every client got the same answer, once, with this end */
function assertRight({ records }: Scene, turn: string, state: string): AnswerReport {
  const all = [...records].map(([{ instance }, record]) => ({ instance, ...record.reportOf(turn) }));
  const isRight = (report: AnswerReport) =>
    report.repeated + report.missing + report.outOfOrder + report.late === 0 &&
    report.finals.length === 1 &&
    report.finals[0]?.final === state &&
    report.isWhole;
  const wrong = all.filter((report) => !isRight(report));
  if (wrong.length > 0) {
    const what = `${wrong.length} of ${count(all.length, 'client')} got an answer wrongly`;
    throw new CheckFailure(explainAnswer(what, wrong, state));
  }
  return all[0] as AnswerReport;
}

/** Describes what is wrong with an answer as clients got it, and the likely cause. */
function explainAnswer(
  what: string,
  wrong: readonly (AnswerReport & { readonly instance: string })[],
  state = 'done',
): Fault {
  const [first] = wrong;
  if (!first) return { found: what, ...notAccepted };
  const found = `${what}; one on ${first.instance}: ${describe(first, state)}`;
  const end = first.finals[0];
  if (first.finals.length === 0) return { found, ...neverEnded };
  if (end?.final === 'failed' || end?.final === 'interrupted') return { found, ...ofModel };
  if (first.finals.length > 1 || first.late > 0) return { found, ...endedTwice };
  if (first.repeated > 0) return { found, ...repeated };
  if (first.missing + first.outOfOrder > 0 || !first.isWhole) return { found, ...dropped };
  return { found, ...endedOtherwise };
}

function describe(
  { chunks, repeated, missing, outOfOrder, late, finals, isWhole }: AnswerReport,
  state: string,
): string {
  const [end] = finals;
  const parts = [
    repeated > 0 && `${repeated} repeated`,
    missing > 0 && `${missing} missing`,
    outOfOrder > 0 && `${outOfOrder} out of order`,
    late > 0 && `${late} behind its end`,
    finals.length !== 1 && count(finals.length, 'end'),
    end !== undefined && end.final !== state && `ended ${end.final}${end.reason ? ` (${end.reason})` : ''}`,
    end !== undefined && !isWhole && 'together not the text that the end has',
  ].filter((part) => part !== false);
  return `${count(chunks, 'chunk')}: ${list(parts)}`;
}

const notAccepted = {
  cause: 'the hub takes no questions: its limits are reached, Redis is away, or it has no model',
  fix: "look at the words above and in the instance's log; MODEL_PROVIDER=offline needs no key",
};

const neverEnded = {
  cause: 'the instance that made the answer ended it without a word, or its messages do not reach this one',
  fix: 'append the end in the script that changes the state of the turn; see what the check `delivery` says',
};

const ofModel = {
  cause: 'the model gave an error or took too long, or its instance left',
  fix: "the instance's log names the fault: access to the model (MODEL_ID, the task's role), throttling, the network",
};

const endedTwice = {
  cause: 'whoever ends the answer publishes its end, and not the step that changes its state',
  fix: 'change the state and append the end in one script, so that the second one finds it ended',
};

const repeated = {
  cause: 'a chunk that was sent again is appended again',
  fix: 'publish each chunk with the id `turn:seq`, so that a repeat is found',
};

const dropped = {
  cause:
    'tokens go out beside the log, or are not awaited: some never come, and a client that moves misses them',
  fix: 'append every chunk to the log of the room, one under way for each turn',
};

const endedOtherwise = {
  cause: '`cancel` did not reach the instance that makes the answer, or came behind its end',
  fix: 'let each chunk look in its script whether the turn still runs',
};
