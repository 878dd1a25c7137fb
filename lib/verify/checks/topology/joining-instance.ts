import type { DeliveryReport } from '../../accounting/delivery-report.ts';
import type { Ledger } from '../../accounting/ledger.ts';
import { type Check, CheckFailure, type Context } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import type { TopologyControl } from '../../target/target.ts';
import { count, figure } from '../../wording.ts';
import { failConnections, faultOf, placeOnEach } from '../connecting/placement.ts';
import { assertWhole, exchangeMessages, openLedger, untilDelivered } from '../delivery/delivery.ts';
import { SteadyLoad } from './steady-load.ts';

/** New clients for each instance. With so many, half a fair share is not a matter of luck. */
const newClientsEach = 8;
const mostNewClients = 100;

export const joiningInstance: Check = {
  name: 'joining-instance',
  title: 'An instance that joins under load takes its share',
  needs: ['control', 'backplane'],
  run: async (context) => {
    const { clients: older, byInstance } = await placeOnEach(context, context.load.clients, 'application');
    const ledger = await openLedger(context, older);
    const load = new SteadyLoad(ledger, older);
    try {
      const share = await addAndFill(context, byInstance.size + 1);
      const mine = share.onNew.slice(0, context.load.clients);
      const { report } = await exchangeMessages(context, [...older, ...mine], context.load.messages);
      const steady = await endLoad(context, ledger, load);
      return { proved: describe(share, report, steady) };
    } finally {
      await load.stop();
    }
  },
};

interface Share {
  readonly id: string;
  readonly onNew: readonly ContractClient[];
  readonly opened: number;
}

async function addAndFill(context: Context, instances: number): Promise<Share> {
  const id = await addInstance(context);
  const number = Math.min(mostNewClients, newClientsEach * instances);
  const clients = await openClients(context, number);
  const onNew = clients.filter(({ instance }) => instance === id);
  const least = Math.ceil(number / instances / 2);
  if (onNew.length < least) throw new CheckFailure(tooFew(id, onNew.length, number, least));
  return { id, onNew, opened: number };
}

async function addInstance({ target, afterwards }: Context): Promise<string> {
  const control = target.control as TopologyControl;
  const before = new Set((await control.instances()).map(({ id }) => id));
  let adding: Promise<string> | undefined;
  // Registered first, and found by comparison if no id came, so that an instance whose start failed is removed, too.
  afterwards({
    what: 'remove the added instance',
    run: async () => {
      const id = await adding?.catch(() => undefined);
      const others = (await control.instances()).map((each) => each.id).filter((each) => !before.has(each));
      for (const added of others.filter((each) => id === undefined || each === id)) {
        await control.remove(added);
      }
    },
  });
  adding = control.add();
  return adding;
}

async function openClients(context: Context, number: number): Promise<readonly ContractClient[]> {
  const clients: ContractClient[] = [];
  while (clients.length < number) {
    context.signal.throwIfAborted();
    const some = Array.from({ length: Math.min(10, number - clients.length) }, () =>
      context.clients.open('application'),
    );
    const ready = await Promise.all(some.map((client) => client.untilReady(context)));
    clients.push(...some);
    const failed = some.filter((_client, index) => !ready[index]).map((client) => faultOf(context, client));
    const howMany = `${failed.length} of ${count(clients.length, 'new connection')}`;
    if (failed.length > 0) await failConnections(context, failed, howMany, 'application');
  }
  return clients;
}

/** The older clients must get the whole steady load, whoever joins meanwhile. */
async function endLoad(context: Context, ledger: Ledger, load: SteadyLoad): Promise<DeliveryReport> {
  await load.stop();
  await untilDelivered(context, ledger);
  const { rejections } = load;
  const when = 'while an instance joined, at the older clients';
  return assertWhole(context, ledger, { rejections, cameBack: true }, when);
}

function tooFew(id: string, got: number, opened: number, least: number) {
  return {
    found: `${id} got ${got} of ${count(opened, 'new client')}; half of its fair share is ${least}`,
    cause:
      got === 0
        ? 'the proxy never sends clients to the new instance: it is not registered, or not healthy'
        : 'the proxy prefers the older instances: weights, or stickiness by address',
    fix: "register new instances with the proxy at once, with the others' weight and a slow start of zero",
  };
}

function describe({ id, onNew, opened }: Share, together: DeliveryReport, steady: DeliveryReport): string {
  return [
    `${id} took ${onNew.length} of ${count(opened, 'new client')}`,
    `${figure(together.arrived)} of ${count(together.expected, 'delivery', 'deliveries')} with it, exactly once and in order`,
    `${count(steady.published, 'message')} under way meanwhile: ${figure(steady.arrived)} of ${count(steady.expected, 'delivery', 'deliveries')} at the older clients`,
  ].join('; ');
}
