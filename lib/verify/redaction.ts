/** So many first characters identify a secret. A server may cut the rest. */
const identifyingCharacters = 8;
/** A JWT, or the beginning of one that was cut. */
const jwt = /\beyJ[\w-]{5,}(\.[\w-]*){0,2}/g;
/** If a secret's beginning continues like this, it is another word, such as `realtime.example.com`. */
const otherWord = /^([\w-]|[.:/][\w-])/;

/**
 * Returns a function that makes text safe to print. What a server sends may repeat a token, or contain control
 * characters for the terminal.
 *
 * @param secrets that a run knows
 */
export function redactor(secrets: readonly string[]): (words: string) => string {
  const known = secrets.filter(({ length }) => length >= identifyingCharacters);
  return (words) => printable(known.reduce(withoutSecret, words.replace(jwt, '(a token)')));
}

function withoutSecret(words: string, secret: string): string {
  const beginning = secret.slice(0, identifyingCharacters);
  let shown = '';
  let rest = words;
  for (let at = rest.indexOf(beginning); at >= 0; at = rest.indexOf(beginning)) {
    const length = commonLength(rest.slice(at), secret);
    const behind = rest.slice(at + length);
    const isSecret = length === secret.length || !otherWord.test(behind);
    shown += rest.slice(0, at) + (isSecret ? '(a secret)' : rest.slice(at, at + length));
    rest = behind;
  }
  return shown + rest;
}

function commonLength(one: string, other: string): number {
  let length = 0;
  while (length < other.length && one[length] === other[length]) length += 1;
  return length;
}

/** Replaces control characters, except for line breaks. */
function printable(words: string): string {
  return words.replace(/[\p{Cc}\p{Cf}]/gu, (character) => (character === '\n' ? character : ' '));
}
