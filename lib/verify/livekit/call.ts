import { liveKitPorts } from '../../../livekit/config/ports.ts';
import { CheckFailure, type Context } from '../check.ts';
import { within } from '../wait.ts';
import { callToken } from './call-token.ts';
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
