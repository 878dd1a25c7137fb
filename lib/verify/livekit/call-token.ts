import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../../app/names.ts';
import type { CallToken } from '../../../app/protocol/calls.ts';
import { type Answer, ask } from '../ask.ts';
import { CheckFailure, CheckSkip } from '../check.ts';
import type { Target } from '../target.ts';
import { noTokens } from '../tokens.ts';

const tries = 4;
const betweenTriesMs = 1_000;

/**
 * A user's token for a call, from the service.
 * @throws CheckSkip where the service has no calls, CheckFailure when it gives none
 */
export async function callToken(
  target: Pick<Target, 'url' | 'tokens'>,
  user: number,
  room: string,
): Promise<CallToken> {
  const { url, tokens = noTokens } = target;
  for (let left = tries; ; left -= 1) {
    const answer = await askForCall(url, await tokens.of(user), room);
    if (answer.status === 200) return JSON.parse(answer.body) as CallToken;
    if (answer.status === 404) throw new CheckSkip(noCalls);
    if (left > 1 && (answer.status === 429 || answer.status === 503)) await delay(betweenTriesMs);
    else throw new CheckFailure(refused(answer));
  }
}

/** Why there is nothing to be joined. */
export const noCalls = 'the service has no media server: it is not_configured';

/** Whether the service says that it has no calls. What does not answer is for other checks. */
export async function isWithoutCalls(target: Pick<Target, 'url'>): Promise<boolean> {
  try {
    return (await askForCall(target.url, undefined, 'verify-calls')).status === 404;
  } catch {
    return true;
  }
}

function askForCall(url: string, token: string | undefined, room: string): Promise<Answer> {
  return ask(paths.livekitToken, url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ room }),
  });
}

function refused({ status, body }: Answer) {
  return {
    found: `the service gives no token for a call: ${status} ${body.slice(0, 200)}`,
    cause: 'the user may not join the room, or asked too often, or the service is not well',
    fix: `look at what it says, and in the service's log for ${paths.livekitToken}`,
  };
}
