import { z } from 'zod';

/** What the service accepts, method by method; the types of `hub.ts` as checks. */

/** Longest room name and message id, in characters: both stand in Redis keys. */
export const longestRoom = 128;
export const longestId = 64;

const room = z
  .string()
  .min(1)
  .max(longestRoom)
  .regex(/^[^\p{Cc}]+$/u, 'must hold no control characters');

const position = z.object({
  epoch: z.string().max(longestId),
  offset: z.int().min(0),
});

export const joinRequest = z.object({
  room,
  since: position.optional(),
  acked: position.optional(),
});

export const leaveRequest = z.object({ room });

export const presenceRequest = z.object({
  room,
  known: z.object({ epoch: z.string().max(longestId), version: z.int().min(0) }).optional(),
});

export const typingRequest = z.object({ room });

/**
 * Socket.IO has parsed it, so only what it adds to JSON is looked for: a schema for any JSON would walk the
 * same tree ten times as slowly.
 */
function isJson(value: unknown): boolean {
  if (value === undefined || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return false;
  if (typeof value !== 'object' || value === null) return true;
  return Object.values(value).every(isJson);
}

export const publishRequest = z.object({
  room,
  id: z.string().min(1).max(longestId).optional(),
  body: z.unknown().refine(isJson, 'must be JSON: binary is not taken'),
});

/** Longest question to a model, in characters; the room's log keeps it as one message. */
export const longestPrompt = 8_000;

export const askRequest = z.object({
  room,
  id: z.string().min(1).max(longestId).optional(),
  prompt: z.string().trim().min(1, 'must say something').max(longestPrompt),
});

export const cancelRequest = z.object({ turn: z.string().min(1).max(longestId) });
