/** The wire's types that every hub shares: what a client sends, and what it hears. */

/** A place in a room's log: the message that was seen last. Offsets start at 1; 0 is before the first. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A method's acknowledgement. */
export type Acknowledgement<T = object> = ({ readonly ok: true } & T) | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

export type ErrorCode =
  /** The payload does not fit the method's schema. */
  | 'bad_request'
  /** This user may not do that in this room. */
  | 'forbidden'
  /** Nothing was written, and a later try may go through: Redis is away or full. */
  | 'refused'
  /** It may or may not have been written: the same id again settles it. */
  | 'uncertain'
  /** The room can't be joined now: try again. */
  | 'unavailable'
  /** Too much in too short a time, and nothing was done: the message says when to try again. */
  | 'rate_limited'
  /** A fault of the service's own; its log has the details. */
  | 'internal';

export interface JoinRequest {
  readonly room: string;
  /** What this client delivered last: the answer holds what came after it. Absent: from now on. */
  readonly since?: Position;
  /** Its highest acknowledged publish: the answer tells if a failover lost that. */
  readonly acked?: Position;
}

export interface JoinAnswer extends Position {
  /** Nothing between `since` and now is missing, and `acked` still stands. */
  readonly recovered: boolean;
  readonly lost?: Lost;
  /** What came after `since`, in order; at most 200 or 256 KB. */
  readonly messages: readonly Message[];
  /** Join again from the last of these messages: the socket is not a member yet. */
  readonly more: boolean;
}

export interface Lost {
  /** Messages that can't be delivered; absent where that can't be known. */
  readonly messages?: number;
  /** An acknowledged publish of this client is gone. */
  readonly acked?: true;
}

export interface LeaveRequest {
  readonly room: string;
}

/** Where the list of a room's members stands: the version counts up by one with each change of an epoch. */
export interface PresencePlace {
  readonly epoch: string;
  readonly version: number;
}

export interface PresenceRequest {
  readonly room: string;
  /** What this client has: the answer holds no members where that is still so. */
  readonly known?: PresencePlace;
}

export interface PresenceAnswer extends PresencePlace {
  /** The subjects in the room, on all instances; absent where `known` is still so. */
  readonly members?: readonly string[];
  /** Those on this instance alone: the others can't be asked now. */
  readonly partial?: true;
}

export interface TypingRequest {
  readonly room: string;
}

export interface PublishRequest {
  readonly room: string;
  /** Chosen by the sender; 1–64 characters. Sent again with the same id it is answered, not repeated. */
  readonly id?: string;
  /** Any JSON value. */
  readonly body: unknown;
}

export interface Message extends Position {
  readonly room: string;
  /** In the first message of an epoch: where the one before ended. */
  readonly prev?: Position;
  readonly id: string;
  /** Who sent it. */
  readonly from: string;
  /** When the service took it, in milliseconds since 1970. */
  readonly at: number;
  readonly body: unknown;
}

/** What members of a room have may not be what its log has: join again with the position. */
export interface Gap extends Position {
  readonly room: string;
  readonly lost?: number;
}

/** This client is not in the room any more: it may not be. */
export interface Expelled {
  readonly room: string;
}

/** Someone in the room is writing. Not kept, and not guaranteed. */
export interface Typing {
  readonly room: string;
  readonly from: string;
}

/**
 * Who came to a room and who left it since the version before. At most once: who misses one, or sees another
 * epoch, asks for the members. A leave is told some seconds late, and not at all to who comes back by then.
 */
export interface PresenceChange extends PresencePlace {
  readonly room: string;
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Sent once after each connection. */
export interface Welcome {
  /** The instance that serves this connection. */
  readonly instance: string;
}

/** The instance lost its backplane, or has it back. Sockets stay open meanwhile. */
export interface Degraded {
  readonly degraded: boolean;
}

export interface ClientToServer {
  join: (request: JoinRequest, reply: (answer: Acknowledgement<JoinAnswer>) => void) => void;
  leave: (request: LeaveRequest, reply: (answer: Acknowledgement) => void) => void;
  presence: (request: PresenceRequest, reply: (answer: Acknowledgement<PresenceAnswer>) => void) => void;
  typing: (request: TypingRequest) => void;
  publish: (request: PublishRequest, reply: (answer: Acknowledgement<Position>) => void) => void;
}

export interface ServerToClient {
  welcome: (welcome: Welcome) => void;
  message: (message: Message) => void;
  gap: (gap: Gap) => void;
  expelled: (expelled: Expelled) => void;
  presence: (change: PresenceChange) => void;
  typing: (typing: Typing) => void;
  degraded: (state: Degraded) => void;
}
