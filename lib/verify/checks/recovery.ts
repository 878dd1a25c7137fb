import { type Absence, describeMoves, sendAway, untilElsewhere } from '../absence.ts';
import type { Check, Context } from '../check.ts';
import type { ContractClient } from '../contract-client.ts';
import { placeOnEach } from '../placement.ts';
import { arrival, demandWhole, openTally, publishAll } from '../round.ts';
import type { Tally } from '../tally.ts';
import { count, figure } from '../words.ts';

/** Clients of each instance that are cut off; one more stays and publishes. */
const mostCutOff = 4;
/** Well within the thousand that a room keeps unless it is told otherwise. */
const mostMissed = 400;
/** Of each sender, when not everyone is sent away. */
const messagesAgain = 5;

export const recovery: Check = {
  name: 'recovery',
  title: 'A client that is cut off misses nothing when it comes back',
  needs: [],
  run: async (context) => {
    const crowd = await gather(context);
    const messages = Math.min(context.load.messages, Math.floor(mostMissed / crowd.staying.length));
    const tally = await openTally(context, [...crowd.staying, ...crowd.cutOff]);
    const instances = crowd.staying.length;
    let missed = 0;
    const absences = await untilElsewhere(crowd.cutOff, instances, (some) => {
      // Who came back where it was shows it once more with few: a user may publish so much and no more.
      const each = some.length === crowd.cutOff.length ? messages : Math.min(messages, messagesAgain);
      missed += some.length * crowd.staying.length * each;
      return missMessages(context, { tally, senders: crowd.staying, messages: each }, some);
    });
    return { proved: describe(crowd, absences, missed) };
  },
};

interface Crowd {
  /** One on each instance. */
  readonly staying: readonly ContractClient[];
  readonly cutOff: readonly ContractClient[];
  /** How many of them use polling. */
  readonly polling: number;
}

async function gather(context: Context): Promise<Crowd> {
  const each = Math.min(mostCutOff, context.load.clients);
  const { byInstance } = await placeOnEach(context, 1 + each, 'application');
  const polling = await placeOnEach(context, 1, 'application-polling');
  const staying = [...byInstance.values()].flatMap((clients) => clients.slice(0, 1));
  const leaving = [...byInstance.values()].flatMap((clients) => clients.slice(1));
  return { staying, cutOff: [...leaving, ...polling.clients], polling: polling.clients.length };
}

interface Load {
  readonly tally: Tally;
  readonly senders: readonly ContractClient[];
  /** Of each sender, while the others are away. */
  readonly messages: number;
}

async function missMessages(
  context: Context,
  { tally, senders, messages }: Load,
  cutOff: readonly ContractClient[],
): Promise<readonly Absence[]> {
  const refusals: string[] = [];
  const absences = await sendAway(context, cutOff, async () => {
    refusals.push(...(await publishAll(context, tally, senders, messages)));
  });
  await arrival(context, tally);
  const when = `${count(cutOff.length, 'client')} cut off (${describeMoves(absences)})`;
  await demandWhole(context, tally, { refusals, cameBack: true }, when);
  return absences;
}

function describe({ staying, cutOff, polling }: Crowd, absences: readonly Absence[], missed: number): string {
  const elsewhere = new Set(absences.filter(({ from, to }) => from !== to).map(({ client }) => client)).size;
  const where =
    staying.length > 1
      ? `${elsewhere} of ${cutOff.length} came back on another instance (${describeMoves(absences)})`
      : `on ${absences[0]?.to}, the only instance: recovery on another one is not shown`;
  return [
    `${count(cutOff.length, 'client')} (${polling} by polling) cut off ${count(absences.length, 'time')}`,
    `${figure(missed)} of ${count(missed, 'message')} published meanwhile recovered, 0 twice, 0 out of order`,
    where,
  ].join('; ');
}
