/** Who tells a room of its call: `from` of each `CallEvent`. */
export const callSender = 'livekit';

/** The attribute by which the service's tokens tell whose a participant is; participants can't change it. */
export const subjectAttribute = 'subject';

/** What the service publishes into a chat room as the call of that room changes. */
export interface CallEvent {
  readonly call: 'started' | 'joined' | 'left' | 'ended';
  /** Who joined or left. */
  readonly subject?: string;
  readonly name?: string;
  /** It is an agent, and no user. */
  readonly agent?: true;
  /** The same in words, for those who know no calls. */
  readonly text: string;
}

/** Answer of `POST /api/livekit/token`. */
export interface CallToken {
  /** Where LiveKit is. */
  readonly url: string;
  readonly token: string;
  readonly room: string;
  /** The participant's; each token has one of its own, so that a user can be in a call twice. */
  readonly identity: string;
  /** Milliseconds since 1970: join before; who has joined stays. */
  readonly expiresAt: number;
}

/** One entry of the answer of `GET /api/livekit/participants`. */
export interface CallParticipant {
  readonly identity: string;
  readonly subject: string;
  readonly name?: string;
  readonly agent?: true;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
}
