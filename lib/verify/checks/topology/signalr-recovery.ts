import { type Check, CheckFailure, type Context, NotProvedError } from '../../check.ts';
import type { SignalRClient } from '../../clients/signalr-client.ts';
import { signalRWays } from '../../clients/signalr-connection.ts';
import type { TopologyControl } from '../../target/target.ts';
import { count, duration, list } from '../../wording.ts';
import { describeDeliveries, killUnderLoad } from './kill.ts';

/** Clients of each transport and encoding: some of them are served by the instance that is killed. */
const each = 2;

/** Microsoft's client with automatic reconnects, and the rooms of `app/client` on it. */
export const signalrRecovery: Check = {
  name: 'signalr-recovery',
  title: "SignalR's clients come back from a killed instance, and miss nothing",
  needs: ['control', 'another instance'],
  isOfSeveral: true,
  run: async (context) => {
    const control = context.target.control as TopologyControl;
    const clients = await startClients(context);
    const victim = busiestOf(clients);
    const displaced = clients.filter(({ instance }) => instance === victim);
    if (displaced.length === clients.length) {
      throw new NotProvedError(`all ${clients.length} clients are served by ${victim}: it needs another one`);
    }
    const { ms, report } = await killUnderLoad(context, control, clients, {
      id: victim,
      displaced,
      neverBack: (away) => neverBack(context, victim, displaced, away),
    });
    const ways = [...new Set(displaced.map(({ way }) => way.name))];
    return {
      proved: [
        `${displaced.length} of ${clients.length} clients were on ${victim}, by ${list(ways)}: back in ${duration(ms)}`,
        `${count(report.published, 'message')} acknowledged meanwhile: ${describeDeliveries(report)}`,
      ].join('; '),
    };
  },
};

async function startClients(context: Context): Promise<readonly SignalRClient[]> {
  const ways = Object.values(signalRWays).flatMap((way) => Array<typeof way>(each).fill(way));
  const clients = await Promise.all(ways.map((way) => context.clients.openSignalR(way)));
  const started = await Promise.all(clients.map((client) => client.start(context)));
  const failed = clients.filter((_client, index) => !started[index]);
  if (failed.length === 0) return clients;
  throw new CheckFailure({
    found: `${failed.length} of ${count(clients.length, 'client')} could not connect: ${describeFault(failed, context)}`,
    cause: 'what `signalr` finds keeps them out',
    fix: 'first what `signalr` says',
  });
}

/** The instance that serves most of them. */
function busiestOf(clients: readonly SignalRClient[]): string {
  const counts = new Map<string, number>();
  for (const { instance } of clients) counts.set(instance, (counts.get(instance) ?? 0) + 1);
  const [busiest] = [...counts].sort(([, one], [, other]) => other - one);
  return busiest?.[0] ?? '';
}

function neverBack(
  context: Context,
  victim: string,
  displaced: readonly SignalRClient[],
  away: readonly SignalRClient[],
) {
  return {
    found: `${away.length} of ${count(displaced.length, 'client')} of ${victim} did not come back within ${context.timeoutMs / 1_000} s: ${describeFault(away, context)}`,
    cause:
      'the proxy still sends requests to the dead instance, and a negotiation and all that follows it must reach living ones in a row; or the others let no more clients in',
    fix: "let the proxy take a dead instance out or try another one (in nginx: proxy_next_upstream), and look at the others' logs for refused clients",
  };
}

function describeFault([first]: readonly SignalRClient[], { timeoutMs }: Context): string {
  return `by ${first?.way.name}, ${first?.fault ?? `nothing within ${timeoutMs / 1_000} s`}`;
}
