import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../../app/names.ts';
import type { CallToken } from '../../../app/protocol/calls.ts';
import { CheckFailure, NotProvedError } from '../check.ts';
import { type HttpResponse, sendWithinLimits } from '../target/request.ts';

const tries = 4;
const betweenTriesMs = 1_000;

/**
 * Gets a user's token for a call from the service.
 * @param token of the user, for the service
 * @throws NotProvedError if the service has no calls, CheckFailure if it gives no token
 */
export async function callToken(url: string, token: string | undefined, room: string): Promise<CallToken> {
  for (let left = tries; ; left -= 1) {
    const response = await askForCall(url, token, room);
    if (response.status === 200) return JSON.parse(response.body) as CallToken;
    if (response.status === 404) throw new NotProvedError(noCalls);
    if (left === 1 || response.status !== 503) throw new CheckFailure(rejected(response));
    await delay(betweenTriesMs);
  }
}

/** Why there is no call to join. */
const noCalls = 'the service has no media server: it is not_configured';

/** Whether the service says that it has no calls. If it does not answer, other checks report that. */
export async function isWithoutCalls({ url }: { readonly url: string }): Promise<boolean> {
  try {
    return (await askForCall(url, undefined, 'verify-calls')).status === 404;
  } catch {
    return true;
  }
}

function askForCall(url: string, token: string | undefined, room: string): Promise<HttpResponse> {
  return sendWithinLimits(paths.livekitToken, url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ room }),
  });
}

function rejected({ status, body }: HttpResponse) {
  return {
    found: `the service gives no token for a call: ${status} ${body.slice(0, 200)}`,
    cause: 'the user may not join the room, or asked too often, or the service is not well',
    fix: `look at what it says, and in the service's log for ${paths.livekitToken}`,
  };
}
