import { CheckFailure, type Context } from './check.ts';
import type { Client } from './clients.ts';
import { explainRound } from './explain-round.ts';
import { type Sum, Tally } from './tally.ts';
import { until } from './wait.ts';
import { count } from './words.ts';

/** A sender's publishes under way at once. */
const window = 10;
/** With no arrival for this long, what is missing is lost; in milliseconds. */
const quietMs = 5_000;
/** Deliveries that one round may ask of a service. */
const mostDeliveries = 1_000_000;

/** Joins everyone to a new room and counts from then on what each of them hears. */
export async function openTally(context: Context, clients: readonly Client[]): Promise<Tally> {
  const tally = new Tally(context.clients.newRoom());
  for (const client of clients) {
    tally.owe(client);
    client.onMessage((message) => tally.hear(client, message));
  }
  try {
    await Promise.all(clients.map((client) => client.join(tally.room)));
  } catch (error) {
    throw new CheckFailure({
      found: `a client could not join a room: ${(error as Error).message}`,
      cause: 'its instance lost the backplane, or its connection ended',
      fix: "look in the instance's log at the time of this check",
    });
  }
  return tally;
}

/**
 * Every client publishes `messages` in a new room, and everyone must hear all of them exactly once and in order.
 * The last one of each follows when all others have arrived, so that a late repeat is still counted.
 *
 * @throws CheckFailure when anything is lost, repeated, out of order, or not acknowledged
 */
export async function deliverRound(
  context: Context,
  clients: readonly Client[],
  messages: number,
): Promise<Sum> {
  refuseTooMuch(clients.length, messages);
  const tally = await openTally(context, clients);
  const before = clients.map(({ connections }) => connections);
  const refusals = await publishAll(context, tally, clients, messages - 1);
  await arrival(context, tally);
  if (tally.complete) {
    refusals.push(...(await publishAll(context, tally, clients, 1)));
    await arrival(context, tally);
  }
  const sum = tally.sum();
  if (!isWhole(sum)) {
    const reconnects = clients.reduce((all, { connections }, i) => all + connections - (before[i] ?? 0), 0);
    throw new CheckFailure(await explainRound(context.target.url, sum, { refusals, reconnects }));
  }
  return sum;
}

/** Waits until all that is acknowledged has arrived, or nothing has come for a while. */
export async function arrival(context: Context, tally: Tally): Promise<void> {
  let seen = -1;
  let since = performance.now();
  const settled = () => {
    if (tally.arrivals !== seen) {
      seen = tally.arrivals;
      since = performance.now();
    }
    return tally.complete || performance.now() - since > quietMs;
  };
  await until(settled, context);
}

export function isWhole({ lost, duplicate, outOfOrder, unacknowledged }: Sum): boolean {
  return lost + duplicate + outOfOrder + unacknowledged === 0;
}

/** Publishes one message and counts its acknowledgement; a refusal comes back in words. */
export async function publishNext(tally: Tally, sender: Client): Promise<string | undefined> {
  const { id, body } = tally.next(sender);
  try {
    await sender.publish(tally.room, id, body);
    tally.acknowledge(id);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function publishAll(
  context: Context,
  tally: Tally,
  clients: readonly Client[],
  messages: number,
): Promise<string[]> {
  const refusals = await Promise.all(
    clients.map(async (client) => {
      const refused: (string | undefined)[] = [];
      for (let left = messages; left > 0; left -= window) {
        context.signal.throwIfAborted();
        const batch = Array.from({ length: Math.min(window, left) }, () => publishNext(tally, client));
        refused.push(...(await Promise.all(batch)));
      }
      return refused;
    }),
  );
  return refusals.flat().filter((words) => words !== undefined);
}

function refuseTooMuch(clients: number, messages: number): void {
  const deliveries = clients * clients * messages;
  if (deliveries <= mostDeliveries) return;
  throw new CheckFailure({
    found: `${count(clients, 'client')} with ${count(messages, 'message')} each make ${count(deliveries, 'delivery', 'deliveries')}`,
    cause: `one check asks for at most ${count(mostDeliveries, 'delivery', 'deliveries')} of a service`,
    fix: 'give fewer --clients or --messages',
  });
}
