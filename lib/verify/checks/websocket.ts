import { type Check, CheckFailure, type Context } from '../check.ts';
import { explainUpgrade } from '../explain-upgrade.ts';
import { failConnections, type Placement, placeOnEach } from '../placement.ts';
import type { PlainClient } from '../plain-client.ts';
import { echo, roundTrips } from '../round-trips.ts';
import { count } from '../words.ts';

const clientsEach = 2;

export const websocket: Check = {
  name: 'websocket',
  title: 'WebSocket-only clients work without cookies',
  needs: [],
  run: async (context) => {
    const { clients, byInstance } = await place(context);
    const echoes = await Promise.all(clients.map((client) => echo(context, client)));
    const faults = echoes.filter((words) => words !== undefined);
    const all = count(clients.length, 'client');
    if (faults.length > 0) await failConnections(context, faults, `${faults.length} of ${all}`, 'websocket');
    return {
      proved: `${all} without cookies on ${count(byInstance.size, 'instance')}, ${count(clients.length * roundTrips, 'round trip')}, 0 broken`,
    };
  },
};

/** A proxy that lets polling through and refuses WebSockets has one cause, whatever words it refuses with. */
async function place(context: Context): Promise<Placement<PlainClient>> {
  try {
    return await placeOnEach(context, clientsEach, 'websocket');
  } catch (error) {
    const refused = error instanceof CheckFailure && error.fault.found.includes('over WebSocket');
    if (!refused || !(await context.clients.open('polling').ready(context))) throw error;
    const fault = await explainUpgrade(context.target);
    if (!fault) throw error;
    throw new CheckFailure({ ...fault, found: `${error.fault.found}; polling works; ${fault.found}` });
  }
}
