import type { Context } from './check.ts';
import type { Client } from './clients.ts';
import { until } from './wait.ts';

/** Messages that a client sends itself to show that its session holds. */
export const roundTrips = 10;

/** Sends messages to a room of the client's own, one after the other; in words what broke, if anything did. */
export async function echo(context: Context, client: Client): Promise<string | undefined> {
  const room = context.clients.newRoom();
  const heard = new Set<string>();
  let refusal: string | undefined;
  client.onMessage((message) => message.room === room && heard.add(message.id));
  sendAll(client, room).catch((error: Error) => {
    refusal = error.message;
  });
  const whole = () => heard.size === roundTrips;
  await until(() => whole() || !client.settled || refusal !== undefined, context);
  if (whole()) return undefined;
  if (!client.settled) return client.fault ?? 'disconnected';
  return refusal ?? `${heard.size} of ${roundTrips} messages came back`;
}

async function sendAll(client: Client, room: string): Promise<void> {
  await client.join(room);
  for (let i = 0; i < roundTrips; i += 1) await client.publish(room, String(i), i);
}
