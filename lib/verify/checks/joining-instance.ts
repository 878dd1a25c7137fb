import { type Check, CheckFailure, type Context } from '../check.ts';
import type { ContractClient } from '../contract-client.ts';
import { failConnections, faultOf, placeOnEach } from '../placement.ts';
import { arrival, deliverRound, demandWhole, openTally } from '../round.ts';
import { SteadyLoad } from '../steady.ts';
import type { Sum, Tally } from '../tally.ts';
import type { TopologyControl } from '../target.ts';
import { count, figure } from '../words.ts';

/** New clients for each instance: enough that half a fair share is no matter of luck. */
const newClientsEach = 8;
const mostNewClients = 100;

export const joiningInstance: Check = {
  name: 'joining-instance',
  title: 'An instance that joins under load takes its share',
  needs: ['control'],
  run: async (context) => {
    const { clients: older, byInstance } = await placeOnEach(context, context.load.clients, 'application');
    const tally = await openTally(context, older);
    const load = new SteadyLoad(tally, older);
    try {
      const share = await addAndFill(context, byInstance.size + 1);
      const mine = share.onNew.slice(0, context.load.clients);
      const round = await deliverRound(context, [...older, ...mine], context.load.messages);
      const steady = await settle(context, tally, load);
      return { proved: describe(share, round.sum(), steady) };
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
  // By difference, and registered first: so an instance goes too whose start failed or was not waited for.
  afterwards({
    what: 'remove the added instance',
    run: async () => {
      await adding?.catch(() => undefined);
      const added = (await control.instances()).filter(({ id }) => !before.has(id));
      for (const { id } of added) await control.remove(id);
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
    const ready = await Promise.all(some.map((client) => client.ready(context)));
    clients.push(...some);
    const failed = some.filter((_client, index) => !ready[index]).map((client) => faultOf(context, client));
    const howMany = `${failed.length} of ${count(clients.length, 'new connection')}`;
    if (failed.length > 0) await failConnections(context, failed, howMany, 'application');
  }
  return clients;
}

/** What the older clients heard of the steady load must be whole, whoever joined meanwhile. */
async function settle(context: Context, tally: Tally, load: SteadyLoad): Promise<Sum> {
  await load.stop();
  await arrival(context, tally);
  const seen = { refusals: load.refusals, cameBack: true };
  return demandWhole(context, tally, seen, 'while an instance joined, at the older clients');
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

function describe({ id, onNew, opened }: Share, round: Sum, steady: Sum): string {
  return [
    `${id} took ${onNew.length} of ${count(opened, 'new client')}`,
    `${figure(round.arrived)} of ${count(round.expected, 'delivery', 'deliveries')} with it, exactly once and in order`,
    `${count(steady.published, 'message')} under way meanwhile: ${figure(steady.arrived)} of ${count(steady.expected, 'delivery', 'deliveries')} at the older clients`,
  ].join('; ');
}
