import type { DeliveryReport } from '../../accounting/delivery-report.ts';
import { CheckFailure, type Context } from '../../check.ts';
import type { RoomClient } from '../../clients/client.ts';
import type { TopologyControl } from '../../target/target.ts';
import { until } from '../../wait.ts';
import { count, figure } from '../../wording.ts';
import { assertWhole, openLedger, untilDelivered } from '../delivery/delivery.ts';
import { SteadyLoad } from './steady-load.ts';

/** A client that comes back by itself. */
export interface ReturningClient {
  readonly instance: string;
  readonly isReady: boolean;
  /** Times that an instance welcomed it. */
  readonly connections: number;
  /** Why its last connection failed or ended. */
  readonly fault: string | undefined;
}

export interface Outage {
  /** From the kill to the last client's return, in milliseconds. */
  readonly ms: number;
  /** The report of what was published meanwhile. */
  readonly report: DeliveryReport;
}

export interface Victim<C> {
  readonly id: string;
  /** The clients that it served. */
  readonly displaced: readonly C[];
  /** Says what is wrong when these of them did not come back in time. */
  readonly neverBack: (away: readonly C[]) => ConstructorParameters<typeof CheckFailure>[0];
}

/**
 * Kills an instance while all clients publish, those that are cut off, too. They try until the message is acknowledged.
 *
 * @throws CheckFailure
 */
export async function killUnderLoad<C extends ReturningClient & RoomClient>(
  context: Context,
  control: TopologyControl,
  clients: readonly C[],
  { id, displaced, neverBack }: Victim<C>,
): Promise<Outage> {
  const ledger = await openLedger(context, clients);
  const load = new SteadyLoad(ledger, clients);
  let returned: Return<C>;
  try {
    returned = await killAndReturn(context, control, id, displaced);
  } finally {
    await load.stop();
  }
  const { ms, away } = returned;
  if (away.length > 0) throw new CheckFailure(neverBack(away));
  await untilDelivered(context, ledger);
  const { rejections } = load;
  const when = `of what was sent while ${id} was killed`;
  return { ms, report: await assertWhole(context, ledger, { rejections, cameBack: true }, when) };
}

export function describeDeliveries({ arrived, expected, lost }: DeliveryReport): string {
  return `${figure(arrived)} of ${count(expected, 'delivery', 'deliveries')}, exactly once and in order, ${lost} lost`;
}

interface Return<C> {
  readonly ms: number;
  /** Those that did not come back in time. */
  readonly away: readonly C[];
}

/** Kills an instance, and waits for the clients that it served. When the check ends, it waits for the instance, too. */
async function killAndReturn<C extends ReturningClient>(
  context: Context,
  control: TopologyControl,
  victim: string,
  displaced: readonly C[],
): Promise<Return<C>> {
  const before = new Map(displaced.map((client) => [client, client.connections]));
  const killedAt = performance.now();
  await kill(context, control, victim);
  const back = (client: C) => client.isReady && client.connections > (before.get(client) ?? 0);
  await until(() => displaced.every(back), context);
  const away = displaced.filter((client) => !back(client));
  return { ms: performance.now() - killedAt, away };
}

async function kill(context: Context, control: TopologyControl, id: string): Promise<void> {
  const pid = await pidOf(control, id);
  const killing = control.kill(id);
  context.afterwards({
    what: `wait for ${id} to be back`,
    run: async () => {
      const killed = await killing.then(
        () => true,
        () => false,
      );
      if (killed) await backInService(context, control, id, pid);
    },
  });
  await killing;
}

async function pidOf(control: TopologyControl, id: string): Promise<number | undefined> {
  return (await control.instances()).find((instance) => instance.id === id)?.pid;
}

async function backInService(
  { timeoutMs }: Context,
  control: TopologyControl,
  id: string,
  oldPid: number | undefined,
): Promise<void> {
  const isBack = async () => {
    const instance = (await control.instances()).find((each) => each.id === id);
    return instance?.serving === true && instance.pid !== oldPid;
  };
  // No signal here: Ctrl-C must not leave the topology one instance short.
  const back = await until(isBack, { timeoutMs, signal: new AbortController().signal });
  if (!back) throw new Error(`${id} was not started again within ${timeoutMs / 1_000} s`);
}
