import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../app/names.ts';
import { ask } from './ask.ts';
import { CheckFailure, type Context } from './check.ts';
import type { ContractClient } from './contract-client.ts';
import { until } from './wait.ts';
import { count } from './words.ts';

/** One time that a client was cut off. */
export interface Absence {
  readonly client: ContractClient;
  /** The instance that served it before, and the one it came back to. */
  readonly from: string;
  readonly to: string;
}

/** A proxy that chooses at random between two sends one client in a thousand back where it was each time. */
const mostAbsences = 10;
/** The other instance may be one that another check has killed a moment ago: in milliseconds until it is back. */
const backWithinMs = 5_000;
const pauseMs = 200;
/** Pairs of instances that are named. */
const mostWays = 4;

/**
 * Cuts clients off, does `meanwhile`, and lets them come back.
 * @throws CheckFailure when one of them does not come back in time
 */
export async function sendAway(
  context: Context,
  clients: readonly ContractClient[],
  meanwhile: () => Promise<void>,
): Promise<Absence[]> {
  const before = clients.map((client) => ({ client, from: client.instance }));
  for (const client of clients) client.cut();
  await until(() => clients.every(({ settled }) => !settled), context);
  await meanwhile();
  await breakStep(context);
  for (const client of clients) client.comeBack();
  await until(() => clients.every(({ settled }) => settled), context);
  const away = clients.filter(({ settled }) => !settled);
  if (away.length > 0) throw new CheckFailure(neverBack(context, clients.length, away));
  return before.map(({ client, from }) => ({ client, from, to: client.instance }));
}

/**
 * Sends clients away again and again until each has come back elsewhere, as often as that makes sense; with one
 * instance, once.
 *
 * @throws CheckFailure when none of them ever comes back elsewhere
 */
export async function untilElsewhere(
  clients: readonly ContractClient[],
  instances: number,
  send: (clients: readonly ContractClient[]) => Promise<readonly Absence[]>,
): Promise<Absence[]> {
  const absences: Absence[] = [];
  const noneMoved = () => absences.every(({ from, to }) => from === to);
  let staying = clients;
  const sendOnce = async () => {
    const latest = await send(shuffled(staying));
    absences.push(...latest);
    staying = latest.filter(({ from, to }) => from === to).map(({ client }) => client);
  };
  const deadline = performance.now() + backWithinMs;
  await sendOnce();
  if (instances === 1) return absences;
  for (let times = 1; times < mostAbsences && staying.length > 0; times += 1) await sendOnce();
  while (noneMoved() && performance.now() < deadline) {
    await delay(pauseMs);
    await sendOnce();
  }
  if (noneMoved()) throw new CheckFailure(neverElsewhere(absences, instances));
  return absences;
}

/**
 * Where a proxy takes turns, another check that connects in step with a lone client would send it back where it was
 * each time: by chance one request more lies between.
 */
async function breakStep({ target }: Context): Promise<void> {
  if (Math.random() < 0.5) await ask(paths.live, target.url).catch(() => undefined);
}

/** A proxy that takes turns would send clients that come back in the same order back where they were. */
function shuffled<T>(things: readonly T[]): readonly T[] {
  return things
    .map((thing) => ({ thing, place: Math.random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ thing }) => thing);
}

/** `app-1 to app-2 5 times, app-2 to app-1 once, back to where they were 3 times`. */
export function describeMoves(absences: readonly Absence[]): string {
  const times = new Map<string, number>();
  for (const { from, to } of absences) {
    if (from !== to) times.set(`${from} to ${to}`, (times.get(`${from} to ${to}`) ?? 0) + 1);
  }
  const ways = [...times].sort().map(([way, number]) => `${way} ${often(number)}`);
  const more = ways.length > mostWays ? [`${ways.length - mostWays} more ways`] : [];
  const back = absences.filter(({ from, to }) => from === to).length;
  const same = back > 0 ? [`back to where they were ${often(back)}`] : [];
  return [...ways.slice(0, mostWays), ...more, ...same].join(', ');
}

function often(times: number): string {
  return times === 1 ? 'once' : `${times} times`;
}

function neverBack({ timeoutMs }: Context, cut: number, away: readonly ContractClient[]) {
  return {
    found: `${away.length} of ${count(cut, 'client')} that were cut off did not come back within ${timeoutMs / 1_000} s: ${away[0]?.fault ?? 'no error told'}`,
    cause: 'the proxy or the instances refuse clients that come back at the same time',
    fix: 'look in their logs at the time of this check for a limit on connections',
  };
}

function neverElsewhere(absences: readonly Absence[], instances: number) {
  return {
    found: `in ${count(absences.length, 'absence')} no client came back on another one of ${count(instances, 'instance')}`,
    cause:
      "the proxy ties a client to its instance by address, or by something else than the client's cookie",
    fix: 'let stickiness be by cookie alone, so that a client without one goes to any instance',
  };
}
