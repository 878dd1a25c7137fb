import { z } from 'zod';
import type { Acknowledgement, ErrorCode, ErrorReply } from '../../protocol/hub.ts';
import type { Member } from './member.ts';

/** What a method replies with; a transport makes its own acknowledgement of it. */
export type Reply = Acknowledgement<unknown> | ReplyText;

/** A reply whose JSON is put together already: messages are not parsed on their way out of the log. Never a refusal. */
export class ReplyText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The JSON that a request came in, as its sender wrote it: numbers keep all their digits. */
export interface RequestText {
  readonly text: string;
  /** Where the request, an object, begins in it. */
  readonly start: number;
}

/** A method's no: it goes to the caller as it is, and is no fault of the service. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: ErrorCode;

  /** @param options.cause what goes to the service's log, and not to the caller */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** @param room what the request says, where it names one */
export type OnFault<M extends Member> = (fault: Error, member: M, room?: string) => void;

/** @param text of the request, where its transport knows it */
type Method<S extends z.ZodType, M extends Member> = (
  member: M,
  request: z.infer<S>,
  text: RequestText | undefined,
) => Promise<Reply>;

export interface HandlerOptions<S extends z.ZodType, M extends Member> {
  readonly schema: S;
  /** Recognizes most requests faster than the schema; undefined: that is asked. @default it always is */
  readonly recognize?: (request: unknown) => z.infer<S> | undefined;
  readonly method: Method<S, M>;
  readonly onFault: OnFault<M>;
  /** @default nobody is notified */
  readonly onRefusal?: (code: ErrorCode) => void;
}

/** A property of a method's request, as a positional argument. */
export interface Parameter {
  readonly name: string;
  readonly isOptional: boolean;
}

/** Serves one method to members of every transport. */
export interface Handler<M extends Member> {
  /** Of the request, in the order of its schema; those that may be absent come last. */
  readonly parameters: readonly Parameter[];
  /** Replies exactly once, and never rejects. @param text of the request, where its transport knows it */
  reply(member: M, request: unknown, text?: RequestText): Promise<Reply>;
  /** Reports a fault, such as a reply that can't be sent. @returns what the caller gets */
  failed(fault: Error, member: M, request: unknown): ErrorReply;
}

/** Checks requests and turns faults into replies: bad input never ends the process or the connection. */
export function createHandler<S extends z.ZodType, M extends Member>(
  options: HandlerOptions<S, M>,
): Handler<M> {
  const { schema, recognize, method, onFault, onRefusal } = options;
  const attempt = (member: M, request: unknown, text: RequestText | undefined): Promise<Reply> | Reply => {
    const recognized = recognize?.(request);
    if (recognized !== undefined) return method(member, recognized, text);
    const parsed = schema.safeParse(request);
    return parsed.success ? method(member, parsed.data, text) : refuse('bad_request', explain(parsed.error));
  };
  const report = (fault: Error, member: M, request: unknown) => {
    try {
      onFault(fault, member, roomIn(request));
    } catch (error) {
      // What is reported of a fault must not make another one.
      console.error(error);
    }
  };
  const failed = (fault: Error, member: M, request: unknown) => {
    report(fault, member, request);
    return refuse('internal', 'the service failed to do this; its log says why');
  };
  const refusalOf = (fault: Error, member: M, request: unknown) => {
    if (!(fault instanceof RpcError)) return failed(fault, member, request);
    if (fault.cause instanceof Error) report(fault.cause, member, request);
    return refuse(fault.code, fault.message);
  };
  return {
    parameters: parametersOf(schema),
    failed,
    reply: async (member, request, text) => {
      let reply: Reply;
      try {
        reply = await attempt(member, request, text);
      } catch (fault) {
        reply = refusalOf(fault as Error, member, request);
      }
      if (!(reply instanceof ReplyText || reply.ok)) onRefusal?.(reply.error.code);
      return reply;
    },
  };
}

/** The properties of a request, the required ones first. */
export function parametersOf(schema: z.ZodType): readonly Parameter[] {
  if (!(schema instanceof z.ZodObject)) return [];
  const properties = Object.entries(schema.shape).map(([name, property]) => ({
    name,
    isOptional: property instanceof z.ZodOptional || property instanceof z.ZodDefault,
  }));
  return [...properties.filter((each) => !each.isOptional), ...properties.filter((each) => each.isOptional)];
}

export function refuse(code: ErrorCode, message: string): ErrorReply {
  return { ok: false, error: { code, message } };
}

function roomIn(request: unknown): string | undefined {
  const room = (request as { room?: unknown } | null | undefined)?.room;
  return typeof room === 'string' ? room : undefined;
}

/** Why a request does not fit its schema. */
export function explain(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'the payload'}: ${message}`).join('; ');
}
