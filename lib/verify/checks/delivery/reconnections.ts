import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../../../app/names.ts';
import { CheckFailure, type Context } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import { sendRequest } from '../../target/request.ts';
import { until } from '../../wait.ts';
import { count } from '../../wording.ts';

/** One reconnection of a client that was cut off. */
export interface Reconnection {
  readonly client: ContractClient;
  /** The instance that served it before, and the one it came back to. */
  readonly from: string;
  readonly to: string;
}

/**
 * With a proxy that chooses at random between two instances, one client in a thousand comes back to the same one each
 * time.
 */
const mostReconnections = 10;
/** Another check may have killed the other instance a moment ago; in milliseconds until it is back. */
const backWithinMs = 5_000;
const pauseMs = 200;
/** The most pairs of instances that are named. */
const mostRoutes = 4;

/**
 * Cuts clients off, does `meanwhile`, and lets them come back.
 * @throws CheckFailure if one of them does not come back in time
 */
export async function cutOff(
  context: Context,
  clients: readonly ContractClient[],
  meanwhile: () => Promise<void>,
): Promise<Reconnection[]> {
  const before = clients.map((client) => ({ client, from: client.instance }));
  for (const client of clients) client.cut();
  await until(() => clients.every(({ isReady }) => !isReady), context);
  await meanwhile();
  await breakStep(context);
  for (const client of clients) client.comeBack();
  await until(() => clients.every(({ isReady }) => isReady), context);
  const away = clients.filter(({ isReady }) => !isReady);
  if (away.length > 0) throw new CheckFailure(neverBack(context, clients.length, away));
  return before.map(({ client, from }) => ({ client, from, to: client.instance }));
}

/**
 * Cuts clients off again and again until each has come back on another instance, a limited number of times. With one
 * instance, once.
 *
 * @throws CheckFailure if none of them ever comes back on another instance
 */
export async function reconnectElsewhere(
  clients: readonly ContractClient[],
  instances: number,
  reconnect: (clients: readonly ContractClient[]) => Promise<readonly Reconnection[]>,
): Promise<Reconnection[]> {
  const reconnections: Reconnection[] = [];
  const noneMoved = () => reconnections.every(({ from, to }) => from === to);
  let staying = clients;
  const reconnectOnce = async () => {
    const latest = await reconnect(shuffled(staying));
    reconnections.push(...latest);
    staying = latest.filter(({ from, to }) => from === to).map(({ client }) => client);
  };
  const deadline = performance.now() + backWithinMs;
  await reconnectOnce();
  if (instances === 1) return reconnections;
  for (let times = 1; times < mostReconnections && staying.length > 0; times += 1) await reconnectOnce();
  while (noneMoved() && performance.now() < deadline) {
    await delay(pauseMs);
    await reconnectOnce();
  }
  if (noneMoved()) throw new CheckFailure(neverElsewhere(reconnections, instances));
  return reconnections;
}

/**
 * If a proxy alternates, another check that connects in step with a single client would send it back to its instance
 * each time. A random extra request breaks that.
 */
async function breakStep({ target }: Context): Promise<void> {
  if (Math.random() < 0.5) await sendRequest(paths.live, target.url).catch(() => undefined);
}

/**
 * Shuffles the clients: a proxy that alternates would send clients that come back in the same order to the same
 * instances.
 */
function shuffled<T>(things: readonly T[]): readonly T[] {
  return things
    .map((thing) => ({ thing, order: Math.random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ thing }) => thing);
}

/** Describes reconnections, such as `app-1 to app-2 5 times, app-2 to app-1 once, back to where they were 3 times`. */
export function describeReconnections(reconnections: readonly Reconnection[]): string {
  const times = new Map<string, number>();
  for (const { from, to } of reconnections) {
    if (from !== to) times.set(`${from} to ${to}`, (times.get(`${from} to ${to}`) ?? 0) + 1);
  }
  const routes = [...times].sort().map(([route, number]) => `${route} ${often(number)}`);
  const more = routes.length > mostRoutes ? [`${routes.length - mostRoutes} more routes`] : [];
  const back = reconnections.filter(({ from, to }) => from === to).length;
  const same = back > 0 ? [`back to where they were ${often(back)}`] : [];
  return [...routes.slice(0, mostRoutes), ...more, ...same].join(', ');
}

function often(times: number): string {
  return times === 1 ? 'once' : `${times} times`;
}

function neverBack({ timeoutMs }: Context, cut: number, away: readonly ContractClient[]) {
  return {
    found: `${away.length} of ${count(cut, 'client')} that were cut off did not come back within ${timeoutMs / 1_000} s: ${away[0]?.fault ?? 'no error'}`,
    cause: 'the proxy or the instances reject clients that come back at the same time',
    fix: 'look in their logs at the time of this check for a limit on connections',
  };
}

function neverElsewhere(reconnections: readonly Reconnection[], instances: number) {
  return {
    found: `in ${count(reconnections.length, 'reconnection')} no client came back on another one of ${count(instances, 'instance')}`,
    cause:
      "the proxy ties a client to its instance by address, or by something else than the client's cookie",
    fix: 'let stickiness be by cookie alone, so that a client without one goes to any instance',
  };
}
