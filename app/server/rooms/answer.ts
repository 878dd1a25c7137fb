import type { Socket } from 'socket.io';
import type { z } from 'zod';
import type { Acknowledgement, ErrorCode, Refusal } from '../../protocol/hub.ts';
import { type Reply, sendReply } from './direct-reply.ts';

type Method<S extends z.ZodType> = (socket: Socket, request: z.infer<S>) => Promise<Acknowledgement<unknown>>;

/** A method's no: it goes to the caller as it is, and is no fault of the service. */
export class MethodRefusal extends Error {
  override readonly name = 'MethodRefusal';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** @param room what the request says, where it names one */
export type OnFault = (fault: Error, socket: Socket, room?: string) => void;

/**
 * Makes a method a listener: it checks the payload, answers exactly once, and turns a fault into an answer,
 * so that bad input never ends the process or the connection. A caller that wants no answer gets none.
 *
 * One listener serves all sockets and finds its own in `this`: a closure for each would be a tenth of what a
 * connection takes.
 */
export function listener<S extends z.ZodType>(
  schema: S,
  method: Method<S>,
  onFault: OnFault,
  onRefusal?: (code: ErrorCode) => void,
) {
  return async function (this: Socket, ...parts: unknown[]): Promise<void> {
    // `emitWithAck('join')` without a payload puts the reply first.
    const reply = typeof parts.at(-1) === 'function' ? (parts.pop() as Reply) : undefined;
    const result = await attempt(this, schema, method, parts[0]).catch((fault: Error) => {
      if (fault instanceof MethodRefusal) return refuse(fault.code, fault.message);
      onFault(fault, this, roomIn(parts[0]));
      return refuse('internal', 'the service failed to do this; its log says why');
    });
    if (!result.ok) onRefusal?.(result.error.code);
    if (reply) sendReply(this, reply, result);
  };
}

async function attempt<S extends z.ZodType>(
  socket: Socket,
  schema: S,
  method: Method<S>,
  request: unknown,
): Promise<Acknowledgement<unknown>> {
  const parsed = schema.safeParse(request);
  return parsed.success ? method(socket, parsed.data) : refuse('bad_request', explain(parsed.error));
}

export function refuse(code: ErrorCode, message: string): Refusal {
  return { ok: false, error: { code, message } };
}

function roomIn(request: unknown): string | undefined {
  const room = (request as { room?: unknown } | undefined)?.room;
  return typeof room === 'string' ? room : undefined;
}

function explain(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'the payload'}: ${message}`).join('; ');
}
