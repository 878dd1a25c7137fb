import type { WebhookEvent } from 'livekit-server-sdk';
import type { CallEvent } from '../../protocol/calls.ts';
import { subjectOfParticipant } from './token.ts';

type Participant = NonNullable<WebhookEvent['participant']>;

const calls: Readonly<Record<string, CallEvent['call']>> = {
  room_started: 'started',
  participant_joined: 'joined',
  participant_left: 'left',
  room_finished: 'ended',
};

/** Seconds from a call's beginning to the word of it. */
const beginningSeconds = 3;

/** What a room hears of it; undefined: nothing. */
export function callEventOf(webhook: WebhookEvent): CallEvent | undefined {
  const { event, participant } = webhook;
  const call = calls[event];
  // A call that moves to another node, or is ended there, has not started for anyone.
  if (call === 'started' && ageOf(webhook) > beginningSeconds) return undefined;
  if (call === 'started' || call === 'ended') return { call, text: `The call has ${call}` };
  if (call === undefined || !participant || !isShown(participant)) return undefined;
  const subject = subjectOfParticipant(participant);
  const name = participant.name || undefined;
  return {
    call,
    subject,
    ...(name === undefined ? {} : { name }),
    ...(isAgent(participant) ? { agent: true } : {}),
    text: `${name ?? subject} ${call} the call`,
  };
}

/** Seconds that the call had lasted; 0 where LiveKit does not say it. */
function ageOf({ createdAt, room }: WebhookEvent): number {
  return room && room.creationTime > 0 ? Number(createdAt - room.creationTime) : 0;
}

/** Of protobuf's `livekit.ParticipantInfo.Kind`, which the SDK does not export. */
const kinds = { egress: 2, agent: 4 } as const;

export function isAgent({ kind }: Pick<Participant, 'kind'>): boolean {
  return Number(kind) === kinds.agent;
}

/** Recorders and the like are nobody. */
export function isShown({ kind, permission }: Pick<Participant, 'kind' | 'permission'>): boolean {
  return Number(kind) !== kinds.egress && permission?.hidden !== true;
}
