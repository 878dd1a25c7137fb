import type { Position } from '../../../app/protocol/hub.ts';
import { type Check, CheckFailure, type Context, type Fault } from '../check.ts';
import { explainUnserved } from '../explain-round.ts';
import { placeOnEach } from '../placement.ts';
import type { PlainClient } from '../plain-client.ts';
import { type Question, questionsAbout, wrongWith } from '../questions.ts';
import { deliverRound } from '../round.ts';
import { count } from '../words.ts';

const mostListeners = 2;
/** In a room that nobody has joined yet: an instance has to read it from the log. */
const coldMessages = 5;

export const gapDetection: Check = {
  name: 'gap-detection',
  title: 'A client is told of a gap exactly where there is one',
  needs: [],
  run: async (context) => {
    const each = Math.min(mostListeners, context.load.clients);
    const { clients } = await placeOnEach(context, each, 'application');
    const tally = await deliverRound(context, clients, context.load.messages);
    const askers = await placeOnEach(context, 1, 'plain');
    const warm = { room: tally.room, head: tally.head as Position };
    const cold = await fillCold(context, askers.clients);
    const answers: Asked[] = [];
    for (const asker of askers.clients) {
      for (const room of [warm, cold]) answers.push(...(await askAll(asker, room)));
    }
    const wrong = answers.filter((answer) => answer.wrong !== undefined);
    if (wrong.length > 0) throw new CheckFailure(await explain(context, answers, wrong));
    return { proved: describe(tally.sum().arrived, answers, askers.clients.length) };
  },
};

interface KnownRoom {
  readonly room: string;
  readonly head: Position;
}

interface Asked {
  readonly question: Question;
  readonly instance: string;
  /** In words; absent where the answer is right. */
  readonly wrong?: string;
}

/** A room with messages and without members. */
async function fillCold(context: Context, [sender]: readonly PlainClient[]): Promise<KnownRoom> {
  const room = context.clients.newRoom();
  let head: Position = { epoch: '', offset: 0 };
  for (let i = 0; i < coldMessages; i += 1) {
    const { epoch, offset } = await (sender as PlainClient).publish(room, String(i), i);
    head = { epoch, offset };
  }
  return { room, head };
}

async function askAll(asker: PlainClient, { room, head }: KnownRoom): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (const question of questionsAbout(head)) {
    const answer = await asker.join({ room, ...question.request });
    const wrong = wrongWith(answer, question, head);
    asked.push({ question, instance: asker.instance, ...(wrong === undefined ? {} : { wrong }) });
  }
  return asked;
}

async function explain(
  { target }: Context,
  answers: readonly Asked[],
  wrong: readonly Asked[],
): Promise<Fault> {
  const examples = new Map(wrong.map((each) => [each.question.position, each]));
  const words = [...examples.values()].map(
    (each) => `${each.question.position} at ${each.instance}: ${each.wrong}`,
  );
  const found = `${wrong.length} of ${count(answers.length, 'join')} answered wrongly; ${words.join('; ')}`;
  if (wrong.some(({ question }) => question.messages === undefined)) return { found, ...unsaid };
  return { found, ...(await explainUnserved(target.url)) };
}

const unsaid = {
  cause:
    'a position that the log never had passes for a good one: after a failover clients miss messages unsaid',
  fix: 'answer `recovered: false` unless the epoch is one of the room and the offset is not beyond its end',
};

function describe(heard: number, answers: readonly Asked[], instances: number): string {
  const good = answers.filter(({ question }) => question.messages !== undefined).length;
  return [
    `${count(heard, 'offset')} heard, 0 jumped over`,
    `at ${count(instances, 'instance')} ${good} of ${count(good, 'good position')} recovered`,
    `${answers.length - good} of ${count(answers.length - good, 'bad one')} told (unknown epoch, ahead of the log)`,
  ].join('; ');
}
