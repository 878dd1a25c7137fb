import { randomBytes } from 'node:crypto';
import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';
import { type CallToken, subjectAttribute, tokenAttribute } from '../../protocol/calls.ts';
import type { Identity } from '../auth/identity.ts';
import type { LiveKitAccess } from '../environment.ts';

/** A token stands in LiveKit's URL, and so in access logs: it is for joining now. */
const longestSeconds = 600;

export interface TokenRequest {
  readonly room: string;
  readonly identity: Identity;
  /** Worker of the agent that is to come as the room begins; a room that has begun takes no notice. */
  readonly agent?: string;
}

/** Lets one participant into one room: to speak, to hear, to send data. It ends no later than the caller's own token. */
export async function callToken(access: LiveKitAccess, request: TokenRequest): Promise<CallToken> {
  const { room, identity: caller, agent } = request;
  const identity = `${caller.subject}~${randomBytes(6).toString('base64url')}`;
  const seconds = Math.floor(Math.min(longestSeconds, secondsLeft(caller)));
  const expiresAt = Date.now() + seconds * 1_000;
  const token = new AccessToken(access.apiKey, access.apiSecret, {
    identity,
    ttl: `${seconds}s`,
    attributes: {
      [subjectAttribute]: caller.subject,
      ...(caller.tokenHash === undefined ? {} : { [tokenAttribute]: caller.tokenHash }),
    },
    ...(caller.name === undefined ? {} : { name: caller.name }),
  });
  token.addGrant({ roomJoin: true, room, canPublish: true, canSubscribe: true, canPublishData: true });
  if (agent !== undefined) {
    token.roomConfig = new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName: agent })] });
  }
  return { url: access.url, token: await token.toJwt(), room, identity, expiresAt };
}

/** A participant, as LiveKit tells of it. */
interface Attributed {
  readonly identity: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Whose a participant is; an agent's is its own name. */
export function subjectOfParticipant({ identity, attributes }: Attributed): string {
  return attributes[subjectAttribute] ?? identity;
}

/** Who joined a call, and by which token of the service. */
export type CallHolder = Pick<Identity, 'subject' | 'tokenHash'>;

export function holderOf(participant: Attributed): CallHolder {
  const tokenHash = participant.attributes[tokenAttribute];
  return { subject: subjectOfParticipant(participant), ...(tokenHash === undefined ? {} : { tokenHash }) };
}

function secondsLeft({ expiresAt }: Identity): number {
  return expiresAt === undefined ? longestSeconds : Math.max(1, (expiresAt - Date.now()) / 1_000);
}
