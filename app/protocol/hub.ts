/** The types of the wire that all hubs share: what a client sends, and what it receives. */

/** A position in a room's log: the message that was seen last. Offsets start at 1; 0 is before the first. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A method's acknowledgement. */
export type Acknowledgement<T = object> = ({ readonly ok: true } & T) | ErrorReply;

export interface ErrorReply {
  readonly ok: false;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

export type ErrorCode =
  /** The payload does not fit the method's schema. */
  | 'bad_request'
  /** It has more bytes than the service accepts. `app/client` finds that before it sends anything. */
  | 'too_large'
  /** The token has expired, and nothing was done: connect with a new one, and try again. */
  | 'expired'
  /** This user may not do that in this room. */
  | 'forbidden'
  /** Nothing was written, and a later try may go through: Redis is away or full. */
  | 'refused'
  /** It may or may not have been written. The same id, sent again, has a certain result. */
  | 'uncertain'
  /** The room can't be joined now: try again. */
  | 'unavailable'
  /** Too much in too short a time, and nothing was done: the message says when to try again. */
  | 'rate_limited'
  /** A fault of the service's own; its log has the details. */
  | 'internal';

export interface JoinRequest {
  readonly room: string;
  /** What this client delivered last: the reply has what came after it. Absent: from now on. */
  readonly since?: Position;
  /** Its highest acknowledged publish: the reply says whether a failover lost it. */
  readonly acked?: Position;
}

export interface JoinReply extends Position {
  /** Nothing between `since` and now is missing, and `acked` still stands. */
  readonly recovered: boolean;
  readonly lost?: Lost;
  /** What came after `since`, in order; at most 200 messages or 256 KB. What a grant hides counts as lost. */
  readonly messages: readonly Message[];
  /** Join again from the last of these messages: the client is not a member yet. */
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

/** The version of a room's member list. It grows by one with each change, and starts anew with each epoch. */
export interface PresencePosition {
  readonly epoch: string;
  readonly version: number;
}

export interface PresenceRequest {
  readonly room: string;
  /** What this client has: the reply has no members where that is still so. */
  readonly known?: PresencePosition;
}

export interface PresenceReply extends PresencePosition {
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
  /** Chosen by the sender; 1–64 characters. A repeat with the same id gets the same reply, and is not published again. */
  readonly id?: string;
  /**
   * Milliseconds since this id was first sent; absent: now. What is older than the service's window of ids is not
   * published, and the reply is `uncertain`: it could be there twice.
   */
  readonly age?: number;
  /** Any JSON value of at most 100 levels, with well-formed strings. */
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

/** Members may have missed messages of a room's log: join again with the position. */
export interface Gap extends Position {
  readonly room: string;
  readonly lost?: number;
}

/** This client was removed from the room: it is not allowed in it any more. */
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
 * epoch, asks for the members. A leave is sent some seconds late, and not at all if the user is back by then.
 */
export interface PresenceChange extends PresencePosition {
  readonly room: string;
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Sent once after each connection. */
export interface Welcome {
  /** The instance that serves this connection. */
  readonly instance: string;
  /** What one request may hold. @default as much as a packet may, which Engine.IO's handshake says */
  readonly limits?: {
    /** Bytes of a published body as JSON. */
    readonly bodyBytes: number;
  };
}

/** The instance lost its backplane, or one shard of it, or has it back. Connections stay open meanwhile. */
export interface Degraded {
  readonly degraded: boolean;
  /** Of the rooms that this client has joined, those that it is about. @default all, and the connection itself */
  readonly rooms?: readonly string[];
}

export interface ClientToServer {
  join: (request: JoinRequest, reply: (result: Acknowledgement<JoinReply>) => void) => void;
  leave: (request: LeaveRequest, reply: (result: Acknowledgement) => void) => void;
  presence: (request: PresenceRequest, reply: (result: Acknowledgement<PresenceReply>) => void) => void;
  typing: (request: TypingRequest) => void;
  publish: (request: PublishRequest, reply: (result: Acknowledgement<Position>) => void) => void;
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
