/**
 * A text as it stands between the quotes of a JSON string. Such pieces can be put together by whoever knows no
 * JSON.
 */
export function jsonInside(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Undefined for what nobody of ours has written. */
export function fromJsonInside(inside: string): string | undefined {
  try {
    return JSON.parse(`"${inside}"`) as string;
  } catch {
    return undefined;
  }
}
