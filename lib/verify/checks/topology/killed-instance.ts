import { type Check, CheckFailure, type Context, NotProvedError } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import type { TopologyControl } from '../../target/target.ts';
import { count, duration } from '../../wording.ts';
import { placeOnEach } from '../connecting/placement.ts';
import { exchangeMessages } from '../delivery/delivery.ts';
import { describeDeliveries, killUnderLoad } from './kill.ts';

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
    const outage = await killUnderLoad(context, control, placement.clients, {
      id: victim,
      displaced,
      neverBack: (away) => neverBack(context, victim, displaced, away),
    });
    const elsewhere = displaced.filter(({ instance }) => instance !== victim).length;
    if (elsewhere === 0) throw new CheckFailure(neverElsewhere(victim, displaced.length));
    const after = await exchangeMessages(context, placement.clients, context.load.messages);
    return {
      proved: [
        `${count(displaced.length, 'client')} of ${victim} back in ${duration(outage.ms)}, ${elsewhere} elsewhere`,
        `${count(outage.report.published, 'message')} acknowledged meanwhile: ${describeDeliveries(outage.report)}`,
        `then ${describeDeliveries(after.report)}`,
      ].join('; '),
    };
  },
};

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
