import type { Check } from '../check.ts';
import { failConnections, placeOnEach } from '../placement.ts';
import { echo, roundTrips } from '../round-trips.ts';
import { count } from '../words.ts';

/** Enough sessions that a proxy without stickiness can't keep all of them whole by luck. */
const sessionsEach = 2;

export const polling: Check = {
  name: 'polling',
  title: 'Polling sessions with cookies never get "Session ID unknown"',
  needs: [],
  run: async (context) => {
    const { clients, byInstance } = await placeOnEach(context, sessionsEach, 'polling');
    const echoes = await Promise.all(clients.map((client) => echo(context, client)));
    const faults = echoes.filter((words) => words !== undefined);
    const sessions = count(clients.length, 'polling session');
    if (faults.length > 0)
      await failConnections(context, faults, `${faults.length} of ${sessions}`, 'polling');
    return {
      proved: `${sessions} on ${count(byInstance.size, 'instance')}, ${count(clients.length * roundTrips, 'round trip')}, 0 unknown sessions`,
    };
  },
};
