import { CheckFailure, type Context } from './check.ts';
import type { Client, Listener } from './client.ts';
import { type Circumstances, explainRound } from './explain-round.ts';
import { type Sum, Tally } from './tally.ts';
import { until } from './wait.ts';
import { count } from './words.ts';

/** A sender's publishes under way at once. */
const window = 10;
/** With no arrival for this long, what is missing is lost; in milliseconds. */
const longestQuietMs = 5_000;
/** Deliveries that one round may ask of a service. */
const mostDeliveries = 1_000_000;

/** Joins everyone to a new room and counts from then on what each of them hears. */
export async function openTally(context: Context, clients: readonly Client[]): Promise<Tally> {
  const tally = new Tally(context.clients.newRoom());
  for (const client of clients) tally.owe(client);
  await enterAll(clients, tally.room, (client) => ({
    onMessage: (message) => tally.hear(client, message),
    onLost: () => tally.tell(client),
  }));
  return tally;
}

/** @throws CheckFailure when one of them can't join */
export async function enterAll<C extends Client>(
  clients: readonly C[],
  room: string,
  listen: (client: C) => Listener,
): Promise<void> {
  try {
    await Promise.all(clients.map((client) => client.enter(room, listen(client))));
  } catch (error) {
    throw new CheckFailure({
      found: `a client could not join a room: ${(error as Error).message}`,
      cause: 'its instance lost the backplane, or its connection ended',
      fix: "look in the instance's log at the time of this check",
    });
  }
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
): Promise<Tally> {
  refuseTooMuch(clients.length, messages);
  const tally = await openTally(context, clients);
  const refusals = await publishAll(context, tally, clients, messages - 1);
  await arrival(context, tally);
  if (tally.complete) {
    refusals.push(...(await publishAll(context, tally, clients, 1)));
    await arrival(context, tally);
  }
  const ended = clients.filter(({ settled }) => !settled).length;
  await demandWhole(context, tally, { refusals, ended });
  return tally;
}

/** @throws CheckFailure unless each receiver has all that was acknowledged, once, in order, with no loss told */
export async function demandWhole(
  { target }: Context,
  tally: Tally,
  seen: Circumstances,
  when?: string,
): Promise<Sum> {
  const sum = tally.sum();
  if (isWhole(sum)) return sum;
  const fault = await explainRound(target.url, sum, seen);
  throw new CheckFailure(when === undefined ? fault : { ...fault, found: `${when}: ${fault.found}` });
}

/** Waits until all that is acknowledged has arrived, or nothing has come for a while. */
export async function arrival(context: Context, tally: Tally): Promise<void> {
  await untilQuiet(
    context,
    () => tally.complete,
    () => tally.arrivals,
  );
}

/** Waits until `done`, or until the number of arrivals has not grown for a while. */
export async function untilQuiet(
  context: Context,
  done: () => boolean,
  arrivals: () => number,
): Promise<void> {
  const quietMs = Math.min(longestQuietMs, context.timeoutMs / 4);
  let seen = -1;
  let since = performance.now();
  const settled = () => {
    if (arrivals() !== seen) {
      seen = arrivals();
      since = performance.now();
    }
    return done() || performance.now() - since > quietMs;
  };
  await until(settled, context);
}

function isWhole({ lost, duplicate, outOfOrder, jumped, misplaced, told, unacknowledged }: Sum): boolean {
  return lost + duplicate + outOfOrder + jumped + misplaced + told + unacknowledged === 0;
}

/** Publishes one message and counts its acknowledgement; a refusal comes back in words. */
export async function publishNext(tally: Tally, sender: Client): Promise<string | undefined> {
  const { id, body } = tally.next(sender);
  try {
    tally.acknowledge(id, await sender.publish(tally.room, id, body));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Every client publishes `messages`, some at once; refusals come back in words. */
export async function publishAll(
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
