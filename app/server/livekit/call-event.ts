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

/** What a room hears of it; undefined: nothing. */
export function callEventOf({
  event,
  participant,
}: Pick<WebhookEvent, 'event' | 'participant'>): CallEvent | undefined {
  const call = calls[event];
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

/** Of protobuf's `livekit.ParticipantInfo.Kind`, which the SDK does not export. */
const kinds = { egress: 2, agent: 4 } as const;

export function isAgent({ kind }: Pick<Participant, 'kind'>): boolean {
  return Number(kind) === kinds.agent;
}

/** Recorders and the like are nobody. */
export function isShown({ kind, permission }: Pick<Participant, 'kind' | 'permission'>): boolean {
  return Number(kind) !== kinds.egress && permission?.hidden !== true;
}
