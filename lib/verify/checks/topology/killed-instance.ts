import type { DeliveryReport } from '../../accounting/delivery-report.ts';
import { type Check, CheckFailure, type Context, NotProvedError } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import type { TopologyControl } from '../../target/target.ts';
import { count, duration, figure } from '../../wording.ts';
import { type Placement, placeOnEach } from '../connecting/placement.ts';
import { assertWhole, exchangeMessages, openLedger, untilDelivered } from '../delivery/delivery.ts';
import { killAndReturn, type Return } from './kill.ts';
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
  const displaced = byInstance.get(victim) ?? [];
  let returned: Return<ContractClient>;
  try {
    returned = await killAndReturn(context, control, victim, displaced);
  } finally {
    await load.stop();
  }
  const { ms, away } = returned;
  if (away.length > 0) throw new CheckFailure(neverBack(context, victim, displaced, away));
  await untilDelivered(context, ledger);
  const { rejections } = load;
  const when = `of what was sent while ${victim} was killed`;
  return { ms, report: await assertWhole(context, ledger, { rejections, cameBack: true }, when) };
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
