import { CheckFailure, type Context } from '../check.ts';
import { noTokens } from '../tokens.ts';
import { within } from '../wait.ts';
import { callToken } from './call-token.ts';
import { loadParticipants, type Participant } from './participant.ts';

/** One way into a call. */
export interface Door {
  /** For example `livekit-1`, or `the service's LIVEKIT_URL`. */
  readonly name: string;
  /** @default where the service says that LiveKit is */
  readonly url?: string;
}

/** As the page does it. */
export const publicDoor: Door = { name: "the service's LIVEKIT_URL" };

export interface Side extends Door {
  readonly participant: Participant;
}

/**
 * Joins one room through each of the doors; all leave when the check ends.
 * @throws CheckSkip where there are no calls, CheckFailure when one can't be joined
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
    const { tokens = noTokens } = context.target;
    const { url, token } = await callToken(context.target, tokens.nextUser(), room);
    const address = door.url ?? url;
    const joining = joinCall(address, token);
    try {
      const seconds = context.timeoutMs / 1_000;
      const participant = await within(joining, context.timeoutMs, `not joined within ${seconds} s`);
      sides.push({ ...door, participant });
    } catch (error) {
      // One that comes too late is not to stay in the call.
      void joining.then(leave, () => undefined);
      throw new CheckFailure(notJoined(door, address, error as Error));
    }
  }
  return sides;
}

const leaveMs = 5_000;

/** Without a connection it may wait for ever, and there is nothing to leave. */
async function leave(participant: Participant): Promise<void> {
  await within(participant.leave(), leaveMs, 'not left').catch(() => undefined);
}

function notJoined({ name }: Door, address: string, { message }: Error) {
  return {
    found: `the call can't be joined through ${name} (${address}): ${message}`,
    cause:
      'its signalling (/rtc) does not reach a node, its media ports (UDP, TCP 7881) are closed, or the service and the nodes have different keys',
    fix: "look at the proxy's rule for /rtc, the firewall in front of the nodes, and LIVEKIT_API_KEY on both",
  };
}
