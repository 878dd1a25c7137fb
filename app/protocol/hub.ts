/** The wire's types that every hub shares: what a client sends, and what it hears. */

/** A method's acknowledgement. */
export type Acknowledgement<T = object> = ({ readonly ok: true } & T) | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

export type ErrorCode =
  /** The payload does not fit the method's schema. */
  | 'bad_request'
  /** The service is up but its backplane is away: nothing was sent. Try again. */
  | 'unavailable'
  /** A fault of the service's own; its log has the details. */
  | 'internal';

export interface JoinRequest {
  readonly room: string;
}

export interface LeaveRequest {
  readonly room: string;
}

export interface PublishRequest {
  readonly room: string;
  /** Chosen by the sender; 1–64 characters. */
  readonly id?: string;
  /** Any JSON value. */
  readonly body: unknown;
}

export interface Message {
  readonly room: string;
  readonly id: string;
  /** Who sent it. */
  readonly from: string;
  /** When the service took it, in milliseconds since 1970. */
  readonly at: number;
  readonly body: unknown;
}

/** Sent once after each connection. */
export interface Welcome {
  /** The instance that serves this connection. */
  readonly instance: string;
}

export interface ClientToServer {
  join: (request: JoinRequest, reply: (answer: Acknowledgement) => void) => void;
  leave: (request: LeaveRequest, reply: (answer: Acknowledgement) => void) => void;
  publish: (request: PublishRequest, reply: (answer: Acknowledgement<{ id: string }>) => void) => void;
}

export interface ServerToClient {
  welcome: (welcome: Welcome) => void;
  message: (message: Message) => void;
}
