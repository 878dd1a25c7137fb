import type { z } from 'zod';
import type { joinRequest, publishRequest } from '../../protocol/schemas.ts';
import { isName, longestId, longestRoom } from '../../protocol/text.ts';
import type { Position } from './log/position.ts';

/*
 * What clients send all the time is looked at by hand, for a tenth of what its schema takes. These say yes to nothing
 * that the schema refuses; what they don't say yes to the schema is asked about, which says what is wrong.
 */

export function plainJoin(request: unknown): z.infer<typeof joinRequest> | undefined {
  if (!isObject(request)) return undefined;
  const { room, since, acked } = request;
  if (!isName(room, longestRoom)) return undefined;
  const positions = { since: plainPosition(since), acked: plainPosition(acked) };
  if (positions.since === null || positions.acked === null) return undefined;
  return {
    room,
    ...(positions.since && { since: positions.since }),
    ...(positions.acked && { acked: positions.acked }),
  };
}

export function plainPublish(request: unknown): z.infer<typeof publishRequest> | undefined {
  if (!isObject(request)) return undefined;
  const { room, id, age, body } = request;
  if (body === undefined || !isName(room, longestRoom)) return undefined;
  if (id !== undefined && !isName(id, longestId)) return undefined;
  if (age !== undefined && !(typeof age === 'number' && Number.isFinite(age) && age >= 0)) return undefined;
  return { room, id, age, body };
}

/** Undefined: none is given; null: it is none. */
function plainPosition(value: unknown): Position | undefined | null {
  if (value === undefined) return undefined;
  if (!isObject(value)) return null;
  const { epoch, offset } = value;
  const isPosition =
    isName(epoch, longestId) && typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0;
  return isPosition ? { epoch, offset } : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
