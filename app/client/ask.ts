import type { AskAnswer, AskRequest } from '../protocol/answers.ts';
import type { HubSocket } from './connect.ts';
import { insistOn } from './insist.ts';
import { randomId } from './random-id.ts';

/** Milliseconds; as long as a publish is tried. */
const tryForMs = 60_000;

/**
 * Asks the model in a room, and tries again with the same id until it is answered: however often and wherever
 * it arrives, it is one turn. The answer comes as messages of the room, which `Answers` puts together.
 *
 * @param options.forMs how long to try, in milliseconds. @default 60,000
 * @returns the turn
 * @throws HubError `refused`: too much is under way, or Redis is away. `uncertain`: it may be answered yet
 */
export async function ask(
  socket: HubSocket,
  request: AskRequest,
  { forMs = tryForMs }: { forMs?: number } = {},
): Promise<string> {
  const named = { id: randomId(), ...request };
  const { turn } = await insistOn<AskAnswer>(socket, 'ask', named, { forMs });
  return turn;
}

/** Ends an answer, on whichever instance it is made. @throws HubError when it is not known, or another's */
export async function cancel(
  socket: HubSocket,
  turn: string,
  { forMs = tryForMs }: { forMs?: number } = {},
): Promise<void> {
  await insistOn(socket, 'cancel', { turn }, { forMs });
}
