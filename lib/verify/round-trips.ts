import type { Context } from './check.ts';
import type { Client } from './client.ts';
import { until } from './wait.ts';

/** Messages that a client sends itself to show that its session holds. */
export const roundTrips = 10;

/** Sends messages to a room of the client's own, one after the other; in words what broke, if anything did. */
export async function echo(context: Context, client: Client): Promise<string | undefined> {
  const room = context.clients.newRoom();
  const heard = new Set<string>();
  let refusal: string | undefined;
  sendAll(client, room, (id) => heard.add(id)).catch((error: Error) => {
    refusal = error.message;
  });
  const whole = () => heard.size === roundTrips;
  await until(() => whole() || !client.settled || refusal !== undefined, context);
  if (whole()) return undefined;
  if (!client.settled) return client.fault ?? 'disconnected';
  return refusal ?? `${heard.size} of ${roundTrips} messages came back`;
}

async function sendAll(client: Client, room: string, onHeard: (id: string) => void): Promise<void> {
  await client.enter(room, { onMessage: ({ id }) => onHeard(id) });
  for (let i = 0; i < roundTrips; i += 1) await client.publish(room, String(i), i);
}
