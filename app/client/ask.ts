import type { AskReply, AskRequest } from '../protocol/answers.ts';
import type { HubSocket } from './connection/connect.ts';
import { randomId } from './connection/random-id.ts';
import { callUntilAvailable } from './requests/call-until-available.ts';

/** In milliseconds; the same as for a publish. */
const tryForMs = 60_000;
/** In milliseconds. The service remembers the id of a turn for half an hour. */
const longestTryMs = 1_200_000;

/**
 * Asks the model in a room, and repeats the question with the same id until the service acknowledges it. However often
 * it arrives, and on whichever instance, it is one turn. The answer comes as messages of the room, from which
 * `Answers` builds it.
 *
 * @param options.forMs how long to try, in milliseconds, at most 1,200,000. @default 60,000
 * @returns the turn
 * @throws HubError `refused`: too many answers are under way, or Redis is away. `uncertain`: it may still be answered.
 *   `too_large`, `bad_request`: the prompt is not valid
 */
export async function ask(
  socket: HubSocket,
  request: AskRequest,
  { forMs = tryForMs }: { forMs?: number } = {},
): Promise<string> {
  const named = { ...request, id: request.id ?? randomId() };
  const { turn } = await callUntilAvailable<AskReply>(socket, 'ask', () => named, {
    forMs,
    longestMs: longestTryMs,
  });
  return turn;
}

/**
 * Cancels an answer, on whichever instance it is made.
 * @throws HubError if the turn is unknown, or another user's
 */
export async function cancel(
  socket: HubSocket,
  turn: string,
  { forMs = tryForMs }: { forMs?: number } = {},
): Promise<void> {
  await callUntilAvailable(socket, 'cancel', () => ({ turn }), { forMs, longestMs: longestTryMs });
}
