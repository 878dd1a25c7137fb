import { type Check, CheckFailure, type Context, type Fault } from '../check.ts';
import { explainUpgrade } from '../explain-upgrade.ts';
import { failConnections, placeOnEach } from '../placement.ts';
import type { PlainClient } from '../plain-client.ts';
import { echo, roundTrips } from '../round-trips.ts';
import { until } from '../wait.ts';
import { count } from '../words.ts';

const clientsEach = 2;
/** Longer than Socket.IO's client waits for an upgrade makes no sense; in milliseconds. */
const longestUpgradeMs = 10_000;

export const websocketUpgrade: Check = {
  name: 'websocket-upgrade',
  title: 'A client that starts by polling goes on by WebSocket',
  needs: [],
  run: async (context) => {
    const { clients, byInstance } = await placeOnEach(context, clientsEach, 'upgrading');
    const timeoutMs = Math.min(context.timeoutMs, longestUpgradeMs);
    await until(() => clients.every(hasTried), {
      ...context,
      timeoutMs,
    });
    const staying = clients.filter((client) => !isUpgraded(client));
    if (staying.length > 0) throw new CheckFailure(await explain(context, clients.length, staying));
    const echoes = await Promise.all(clients.map((client) => echo(context, client)));
    const faults = echoes.filter((words) => words !== undefined);
    const all = count(clients.length, 'client');
    if (faults.length > 0) await failConnections(context, faults, `${faults.length} of ${all}`, 'upgrading');
    return {
      proved: `${clients.length} of ${all} on ${count(byInstance.size, 'instance')} upgraded, ${count(clients.length * roundTrips, 'round trip')} behind that, 0 broken`,
    };
  },
};

function hasTried(client: PlainClient): boolean {
  return isUpgraded(client) || !client.settled || client.upgradeFault !== undefined;
}

function isUpgraded({ engine }: PlainClient): boolean {
  return engine.transport.name === 'websocket';
}

async function explain(context: Context, all: number, staying: readonly PlainClient[]): Promise<Fault> {
  const words = staying.find(({ upgradeFault }) => upgradeFault !== undefined)?.upgradeFault;
  const found = `${staying.length} of ${count(all, 'client')} stayed with polling: ${words ?? 'the upgrade was never answered'}`;
  const onTheWay = await explainUpgrade(context.target);
  if (onTheWay) return { ...onTheWay, found: `${found}; ${onTheWay.found}` };
  return {
    found: `${found}; a plain upgrade gets through`,
    cause:
      "WebSockets pass, and a session's own does not: its upgrade reaches another instance than its polling did",
    fix: 'let stickiness hold for requests with Upgrade as well: the same cookie, the same rule at every hop',
  };
}
