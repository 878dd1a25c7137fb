/**
 * The one rule for texts of the wire. Half of a surrogate pair has no UTF-8: two names that differ only in it are
 * one name in Redis and two in memory, so ids would collide, and rooms and bans would split. Control characters are
 * refused because names appear in logs and headers.
 */

/**
 * Longest name of a room or subject, and longest id, in characters (UTF-16 units). All of them are parts of Redis
 * keys.
 */
export const longestRoom = 128;
export const longestSubject = 128;
export const longestId = 64;

/** `Cc` are control characters, `Cs` halves of surrogate pairs. */
export const namePattern = /^[^\p{Cc}\p{Cs}]+$/u;
export const nameRule = 'must be well-formed Unicode without control characters';

/** Whether this may be the name of a room, a message, a subject or an epoch. */
export function isName(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest && namePattern.test(value);
}

export const wellFormedRule = 'must be well-formed Unicode: half of a surrogate pair is none';

/** For texts that people write, which may have several lines. */
export function isWellFormed(text: string): boolean {
  return !/\p{Cs}/u.test(text);
}

/** The text with a replacement character for each half of a surrogate pair. */
export function toWellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd');
}
