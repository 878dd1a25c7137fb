import type { Ledger } from '../../accounting/ledger.ts';
import { type Check, type Context, unlessSeveral } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import { count, figure } from '../../wording.ts';
import { placeOnEach } from '../connecting/placement.ts';
import { assertWhole, openLedger, publishAll, untilDelivered } from './delivery.ts';
import { cutOff, describeReconnections, type Reconnection, reconnectElsewhere } from './reconnections.ts';

/** Clients of each instance that are cut off. One more stays and publishes. */
const mostCutOff = 4;
/** Far below the thousand messages that a room keeps by default. */
const mostMissed = 400;
/** Messages of each sender, if not all clients are cut off. */
const messagesAgain = 5;

export const recovery: Check = {
  name: 'recovery',
  title: 'A client that is cut off misses nothing when it comes back',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const crowd = await gather(context);
    const instances = crowd.staying.length;
    const messages = Math.min(context.load.messages, Math.floor(mostMissed / instances));
    const ledger = await openLedger(context, [...crowd.staying, ...crowd.leaving]);
    let missed = 0;
    const reconnections = await reconnectElsewhere(crowd.leaving, instances, (some) => {
      // A client that came back on the same instance is tried again with few messages, because a user may only publish
      // so much.
      const each = some.length === crowd.leaving.length ? messages : Math.min(messages, messagesAgain);
      missed += some.length * instances * each;
      return missMessages(context, { ledger, senders: crowd.staying, messages: each }, some);
    });
    return {
      proved: describe(crowd, reconnections, missed),
      notProved: unlessSeveral(instances, 'that a client recovers on another instance'),
    };
  },
};

interface Crowd {
  /** One client on each instance. */
  readonly staying: readonly ContractClient[];
  readonly leaving: readonly ContractClient[];
  /** How many of them use polling. */
  readonly polling: number;
}

async function gather(context: Context): Promise<Crowd> {
  const each = Math.min(mostCutOff, context.load.clients);
  const { byInstance } = await placeOnEach(context, 1 + each, 'application');
  const polling = await placeOnEach(context, 1, 'application-polling');
  const staying = [...byInstance.values()].flatMap((clients) => clients.slice(0, 1));
  const leaving = [...byInstance.values()].flatMap((clients) => clients.slice(1));
  return { staying, leaving: [...leaving, ...polling.clients], polling: polling.clients.length };
}

interface Publishing {
  readonly ledger: Ledger;
  readonly senders: readonly ContractClient[];
  /** Messages of each sender while the others are away. */
  readonly messages: number;
}

async function missMessages(
  context: Context,
  { ledger, senders, messages }: Publishing,
  leaving: readonly ContractClient[],
): Promise<readonly Reconnection[]> {
  const rejections: string[] = [];
  const reconnections = await cutOff(context, leaving, async () => {
    rejections.push(...(await publishAll(context, ledger, senders, messages)));
  });
  await untilDelivered(context, ledger);
  const when = `${count(leaving.length, 'client')} cut off (${describeReconnections(reconnections)})`;
  await assertWhole(context, ledger, { rejections, cameBack: true }, when);
  return reconnections;
}

function describe(
  { staying, leaving, polling }: Crowd,
  reconnections: readonly Reconnection[],
  missed: number,
): string {
  const moved = reconnections.filter(({ from, to }) => from !== to);
  const elsewhere = new Set(moved.map(({ client }) => client)).size;
  return [
    `${count(leaving.length, 'client')} (${polling} by polling) cut off ${count(reconnections.length, 'time')}`,
    `${figure(missed)} of ${count(missed, 'message')} published meanwhile recovered, 0 twice, 0 out of order`,
    staying.length > 1
      ? `${elsewhere} of ${leaving.length} came back on another instance (${describeReconnections(reconnections)})`
      : `on ${reconnections[0]?.to}`,
  ].join('; ');
}
