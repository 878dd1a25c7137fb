import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../../app/names.ts';
import type { CallToken } from '../../../app/protocol/calls.ts';
import { liveKitPorts } from '../../../livekit/config/ports.ts';
import { CheckFailure, type Context, NotProvedError } from '../check.ts';
import { type HttpResponse, sendWithinLimits } from '../target/request.ts';
import { within } from '../wait.ts';
import { loadParticipants, type Participant } from './participant.ts';

/** One way into a call. */
export interface Door {
  /** For example `livekit-1`, or `the service's LIVEKIT_URL`. */
  readonly name: string;
  /** @default the address of LiveKit that the service returns */
  readonly url?: string;
}

/** Joins as the page does. */
export const publicDoor: Door = { name: "the service's LIVEKIT_URL" };

export interface Side extends Door {
  readonly participant: Participant;
}

/**
 * Joins one room through each of the doors. All participants leave when the check ends.
 * @throws NotProvedError if there are no calls, CheckFailure if one can't be joined
 */
export async function joinThrough(context: Context, doors: readonly Door[], room: string): Promise<Side[]> {
  const joinCall = await loadParticipants();
  const sides: Side[] = [];
  context.afterwards({
    what: 'leave the call',
    run: async () => {
      await Promise.all(sides.map(({ participant }) => leave(participant)));
    },
  });
  for (const door of doors) {
    const { target, tokens } = context;
    const { url, token } = await callToken(target.url, await tokens.of(tokens.nextUser()), room);
    const address = door.url ?? url;
    const joining = joinCall(address, token);
    try {
      const seconds = context.timeoutMs / 1_000;
      const participant = await within(joining, context.timeoutMs, `not joined within ${seconds} s`);
      sides.push({ ...door, participant });
    } catch (error) {
      // A participant that joins too late must not stay in the call.
      void joining.then(leave, () => undefined);
      throw new CheckFailure(notJoined(door, address, error as Error));
    }
  }
  return sides;
}

const leaveMs = 5_000;

/** Without a connection, leaving may take for ever, and there is nothing to leave. */
async function leave(participant: Participant): Promise<void> {
  await within(participant.leave(), leaveMs, 'not left').catch(() => undefined);
}

function notJoined({ name }: Door, address: string, { message }: Error) {
  return {
    found: `the call can't be joined through ${name} (${address}): ${message}`,
    cause: `its signalling (/rtc) does not reach a node, its media ports (UDP, TCP ${liveKitPorts.mediaTcp}) are closed, or the service and the nodes have different keys`,
    fix: "look at the proxy's rule for /rtc, the firewall in front of the nodes, and LIVEKIT_API_KEY on both",
  };
}

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
  return sendWithinLimits(paths.liveKitToken, url, {
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
    fix: `look at what it says, and in the service's log for ${paths.liveKitToken}`,
  };
}
