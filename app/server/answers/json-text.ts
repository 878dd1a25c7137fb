/**
 * A text as it stands between the quotes of a JSON string. Such pieces can be put together by whoever knows no
 * JSON; half a surrogate pair at an edge is escaped, and becomes whole with the other half.
 */
export function jsonInside(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

export function fromJsonInside(inside: string): string {
  return JSON.parse(`"${inside}"`) as string;
}
