/** The sender of every `CallEvent`, in `from`. */
export const callSender = 'livekit';

/** The participant's attribute that holds the subject. The service's tokens set it, and participants can't change it. */
export const subjectAttribute = 'subject';

/** The participant's attribute that holds a hash of the id of the service's token with which the call was requested. */
export const tokenAttribute = 'token';

/** What the service publishes into a chat room as the call of that room changes. */
export interface CallEvent {
  readonly call: 'started' | 'joined' | 'left' | 'ended';
  /** Who joined or left. */
  readonly subject?: string;
  readonly name?: string;
  /** It is an agent, and no user. */
  readonly agent?: true;
  /** The same in words, for clients that know no calls. */
  readonly text: string;
}

/** Response of `POST /api/livekit/token`. */
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

/** One entry of the response of `GET /api/livekit/participants`. */
export interface CallParticipant {
  readonly identity: string;
  readonly subject: string;
  readonly name?: string;
  readonly agent?: true;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
}
