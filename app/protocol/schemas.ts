import { z } from 'zod';
import { isWellFormed, longestId, longestRoom, namePattern, nameRule, wellFormedRule } from './text.ts';

/** The requests that the service accepts, by method: the types of `hub.ts` as schemas. */

/** A name of 1 to so many characters. */
export function name(longest: number) {
  return z.string().min(1).max(longest).regex(namePattern, nameRule);
}

const room = name(longestRoom);
const id = name(longestId);

const position = z.object({ epoch: id, offset: z.int().min(0) });

export const joinRequest = z.object({
  room,
  since: position.optional(),
  acked: position.optional(),
});

export const leaveRequest = z.object({ room });

export const presenceRequest = z.object({
  room,
  /** An instance that knows only some of the members sends an empty epoch. */
  known: z.object({ epoch: id.or(z.literal('')), version: z.int().min(0) }).optional(),
});

export const typingRequest = z.object({ room });

/** The publisher checks the body, as text if the original text is available. */
export const publishRequest = z.object({
  room,
  id: id.optional(),
  age: z.number().min(0).optional(),
  body: z.unknown(),
});

/** Of a stream: a room's messages, from a position on. */
export const followRequest = z.object({ room, since: position.optional() });

/** Longest question to a model, in characters. The room's log stores it as one message. */
export const longestPrompt = 8_000;

export const askRequest = z.object({
  room,
  id: id.optional(),
  prompt: z
    .string()
    .trim()
    .min(1, 'must say something')
    .max(longestPrompt)
    .refine(isWellFormed, wellFormedRule),
});

export const cancelRequest = z.object({ turn: id });
