import { type DeliveryReport, reportDeliveries } from '../../accounting/delivery-report.ts';
import { Ledger } from '../../accounting/ledger.ts';
import { type Check, CheckFailure, type Context, unlessSeveral } from '../../check.ts';
import type { Client, Handlers, RoomClient } from '../../clients/client.ts';
import { until } from '../../wait.ts';
import { count, figure } from '../../wording.ts';
import { placeOnEach } from '../connecting/placement.ts';
import { type ExchangeContext, explainExchange } from './explain-exchange.ts';

/** Publishes of one sender that are under way at once. */
const window = 10;
/** If no delivery comes for so long, in milliseconds, missing messages are lost. */
const longestQuietMs = 5_000;
/** The most deliveries that one exchange may cause. */
const mostDeliveries = 1_000_000;

export const delivery: Check = {
  name: 'delivery',
  title: 'Messages arrive exactly once and in order at everyone',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const { clients, byInstance } = await placeOnEach(context, context.load.clients, 'plain');
    const { messages } = context.load;
    const { arrived, expected } = (await exchangeMessages(context, clients, messages)).report;
    return {
      proved: `${count(clients.length, 'client')} on ${count(byInstance.size, 'instance')}, ${count(messages, 'message')} each: ${figure(arrived)} of ${count(expected, 'delivery', 'deliveries')}, exactly once and in order`,
      notProved: unlessSeveral(byInstance.size, 'that messages reach clients of another instance'),
    };
  },
};

/** Lets every client join a new room, and counts what each of them gets from then on. */
export async function openLedger(context: Context, clients: readonly RoomClient[]): Promise<Ledger> {
  const ledger = new Ledger(context.clients.newRoom());
  const receivers = new Map(clients.map((client) => [client, ledger.join(client)]));
  await enterAll(clients, ledger.room, (client) => ({
    onMessage: (message) => receivers.get(client)?.delivered(message),
    onLost: (lost) => receivers.get(client)?.lost(lost),
  }));
  return ledger;
}

/** @throws CheckFailure if one of them can't join */
export async function enterAll<C extends RoomClient>(
  clients: readonly C[],
  room: string,
  handlersOf: (client: C) => Handlers,
): Promise<void> {
  try {
    await Promise.all(clients.map((client) => client.enter(room, handlersOf(client))));
  } catch (error) {
    throw new CheckFailure({
      found: `a client could not join a room: ${(error as Error).message}`,
      cause: 'its instance lost the backplane, or its connection ended',
      fix: "look in the instance's log at the time of this check",
    });
  }
}

/**
 * Every client publishes `messages` in a new room, and every client must get all of them exactly once and in order.
 * Each client's last message follows when all others have arrived, so that a late repeat is still counted.
 *
 * @throws CheckFailure if anything is lost, repeated, out of order, or not acknowledged
 */
export async function exchangeMessages(
  context: Context,
  clients: readonly Client[],
  messages: number,
): Promise<{ readonly ledger: Ledger; readonly report: DeliveryReport }> {
  validateLoad(clients.length, messages);
  const ledger = await openLedger(context, clients);
  const rejections = await publishAll(context, ledger, clients, messages - 1);
  await untilDelivered(context, ledger);
  if (ledger.isComplete) {
    rejections.push(...(await publishAll(context, ledger, clients, 1)));
    await untilDelivered(context, ledger);
  }
  const ended = clients.filter(({ isReady }) => !isReady).length;
  return { ledger, report: await assertWhole(context, ledger, { rejections, ended }) };
}

/**
 * @throws CheckFailure unless each receiver has all acknowledged messages, once and in order, without a reported loss
 */
export async function assertWhole(
  { target }: Context,
  ledger: Ledger,
  exchange: ExchangeContext,
  when?: string,
): Promise<DeliveryReport> {
  const report = reportDeliveries(ledger);
  if (isWhole(report)) return report;
  const fault = await explainExchange(target.url, report, exchange);
  throw new CheckFailure(when === undefined ? fault : { ...fault, found: `${when}: ${fault.found}` });
}

/** Waits until all that is acknowledged has arrived, or nothing has come for a while. */
export async function untilDelivered(context: Context, ledger: Ledger): Promise<void> {
  await untilQuiet(
    context,
    () => ledger.isComplete,
    () => ledger.deliveries,
  );
}

/** Waits until `isDone`, or until the number of deliveries has not grown for a while. */
export async function untilQuiet(
  context: Context,
  isDone: () => boolean,
  deliveries: () => number,
): Promise<void> {
  const quietMs = Math.min(longestQuietMs, context.timeoutMs / 4);
  let seen = -1;
  let since = performance.now();
  const isOver = () => {
    if (deliveries() !== seen) {
      seen = deliveries();
      since = performance.now();
    }
    return isDone() || performance.now() - since > quietMs;
  };
  await until(isOver, context);
}

function isWhole(report: DeliveryReport): boolean {
  const { lost, duplicated, outOfOrder, skipped, misplaced, notified, unacknowledged } = report;
  return lost + duplicated + outOfOrder + skipped + misplaced + notified + unacknowledged === 0;
}

/** Publishes one message and records its acknowledgement. @returns the rejection in words, if there is one */
export async function publishNext(ledger: Ledger, sender: RoomClient): Promise<string | undefined> {
  const publish = ledger.publish(sender);
  try {
    ledger.acknowledge(publish, await sender.publish(ledger.room, publish.id, publish.seq));
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    ledger.fail(publish, message);
    return message;
  }
}

/** Every client publishes `messages`, some of them at once. @returns rejections in words */
export async function publishAll(
  context: Context,
  ledger: Ledger,
  clients: readonly Client[],
  messages: number,
): Promise<string[]> {
  const rejections = await Promise.all(
    clients.map((client) => publishMany(context, ledger, client, messages)),
  );
  return rejections.flat();
}

/**
 * Publishes the messages of one client. It stops if none of a window was acknowledged, because a service that hangs
 * would take all the time.
 */
async function publishMany(
  { signal }: Context,
  ledger: Ledger,
  client: Client,
  messages: number,
): Promise<string[]> {
  const rejections: string[] = [];
  for (let left = messages; left > 0; left -= window) {
    signal.throwIfAborted();
    const batch = Array.from({ length: Math.min(window, left) }, () => publishNext(ledger, client));
    const rejected = (await Promise.all(batch)).filter((words) => words !== undefined);
    rejections.push(...rejected);
    if (rejected.length === batch.length) break;
  }
  return rejections;
}

/** @throws CheckFailure that asks for less */
function validateLoad(clients: number, messages: number): void {
  const deliveries = clients * clients * messages;
  if (deliveries <= mostDeliveries) return;
  throw new CheckFailure({
    found: `${count(clients, 'client')} with ${count(messages, 'message')} each make ${count(deliveries, 'delivery', 'deliveries')}`,
    cause: `one check asks for at most ${count(mostDeliveries, 'delivery', 'deliveries')} of a service`,
    fix: 'give fewer --clients or --messages',
  });
}

/** With plain clients: what an instance sends must be right as it comes, with nobody to ask for it again. */
