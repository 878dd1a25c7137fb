import type { Socket } from 'socket.io';
import type { z } from 'zod';
import type { Acknowledgement, ErrorCode, Refusal } from '../../protocol/hub.ts';
import { logOf } from './thread.ts';

type Reply<T> = (answer: Acknowledgement<T>) => void;

/**
 * Wraps a method: checks the payload, answers exactly once, and turns a fault into an answer, so that bad
 * input never ends the process or the connection. A caller that wants no answer gets none.
 */
export function answer<S extends z.ZodType, T>(
  socket: Socket,
  schema: S,
  method: (request: z.infer<S>) => Promise<Acknowledgement<T>>,
): (...parts: unknown[]) => Promise<void> {
  return async (...parts) => {
    // `emitWithAck('join')` without a payload puts the reply first.
    const reply = typeof parts.at(-1) === 'function' ? (parts.pop() as Reply<T>) : undefined;
    const result = await attempt(socket, schema, method, parts[0]);
    reply?.(result);
  };
}

async function attempt<S extends z.ZodType, T>(
  socket: Socket,
  schema: S,
  method: (request: z.infer<S>) => Promise<Acknowledgement<T>>,
  request: unknown,
): Promise<Acknowledgement<T>> {
  const parsed = schema.safeParse(request);
  if (!parsed.success) return refuse('bad_request', explain(parsed.error));
  try {
    return await method(parsed.data);
  } catch (error) {
    logOf(socket).error({ err: error }, 'a hub method failed');
    return refuse('internal', 'the service failed to do this; its log says why');
  }
}

export function refuse(code: ErrorCode, message: string): Refusal {
  return { ok: false, error: { code, message } };
}

function explain(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'the payload'}: ${message}`).join('; ');
}
