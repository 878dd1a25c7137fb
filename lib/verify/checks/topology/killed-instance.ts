import type { DeliveryReport } from '../../accounting/delivery-report.ts';
import { type Check, CheckFailure, type Context, NotProvedError } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import type { TopologyControl } from '../../target/target.ts';
import { until } from '../../wait.ts';
import { count, duration, figure } from '../../wording.ts';
import { type Placement, placeOnEach } from '../connecting/placement.ts';
import { assertWhole, exchangeMessages, openLedger, untilDelivered } from '../delivery/delivery.ts';
import { SteadyLoad } from './steady-load.ts';

export const killedInstance: Check = {
  name: 'killed-instance',
  title: 'A killed instance loses nothing that was acknowledged',
  needs: ['control', 'another instance'],
  run: async (context) => {
    const control = context.target.control as TopologyControl;
    const placement = await placeOnEach(context, context.load.clients, 'application');
    if (placement.byInstance.size < 2)
      throw new NotProvedError('it needs two instances that answer: one does');
    const victim = [...placement.byInstance.keys()].at(-1) as string;
    const displaced = placement.byInstance.get(victim) ?? [];
    const outage = await killUnderLoad(context, control, placement, victim);
    const elsewhere = displaced.filter(({ instance }) => instance !== victim).length;
    if (elsewhere === 0) throw new CheckFailure(neverElsewhere(victim, displaced.length));
    const after = await exchangeMessages(context, placement.clients, context.load.messages);
    return {
      proved: [
        `${count(displaced.length, 'client')} of ${victim} back in ${duration(outage.ms)}, ${elsewhere} elsewhere`,
        `${count(outage.report.published, 'message')} acknowledged meanwhile: ${describe(outage.report)}`,
        `then ${describe(after.report)}`,
      ].join('; '),
    };
  },
};

interface Outage {
  /** From the kill to the last client's return, in milliseconds. */
  readonly ms: number;
  /** The report of what was published meanwhile. */
  readonly report: DeliveryReport;
}

/** All clients publish meanwhile, those that are cut off, too. They try until the message is acknowledged. */
async function killUnderLoad(
  context: Context,
  control: TopologyControl,
  { clients, byInstance }: Placement<ContractClient>,
  victim: string,
): Promise<Outage> {
  const ledger = await openLedger(context, clients);
  const load = new SteadyLoad(ledger, clients);
  let ms: number;
  try {
    ms = await killAndReturn(context, control, byInstance.get(victim) ?? [], victim);
  } finally {
    await load.stop();
  }
  await untilDelivered(context, ledger);
  const { rejections } = load;
  const when = `of what was sent while ${victim} was killed`;
  return { ms, report: await assertWhole(context, ledger, { rejections, cameBack: true }, when) };
}

async function killAndReturn(
  context: Context,
  control: TopologyControl,
  displaced: readonly ContractClient[],
  victim: string,
): Promise<number> {
  const before = new Map(displaced.map((client) => [client, client.connections]));
  const killedAt = performance.now();
  await kill(context, control, victim);
  const back = (client: ContractClient) => client.isReady && client.connections > (before.get(client) ?? 0);
  await until(() => displaced.every(back), context);
  const away = displaced.filter((client) => !back(client));
  if (away.length > 0) throw new CheckFailure(neverBack(context, victim, displaced, away));
  return performance.now() - killedAt;
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

function neverBack(
  { timeoutMs }: Context,
  victim: string,
  displaced: readonly ContractClient[],
  away: readonly ContractClient[],
) {
  return {
    found: `${away.length} of ${count(displaced.length, 'client')} of ${victim} did not come back within ${timeoutMs / 1_000} s: ${away[0]?.fault ?? 'no error'}`,
    cause: 'the proxy still sends them to the dead instance, or the others let no more clients in',
    fix: "shorten the proxy's health check interval, and look whether the other instances are ready",
  };
}

function neverElsewhere(victim: string, clients: number) {
  return {
    found: `${count(clients, 'client')} came back to ${victim} alone, after its restart`,
    cause: 'the proxy ties clients to an instance even when it is down',
    fix: "let the proxy's health check take a dead instance out, and stickiness give way to it",
  };
}

function describe({ arrived, expected, lost }: DeliveryReport): string {
  return `${figure(arrived)} of ${count(expected, 'delivery', 'deliveries')}, exactly once and in order, ${lost} lost`;
}
