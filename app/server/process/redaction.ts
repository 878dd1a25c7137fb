/**
 * Takes secrets out of a finished line, whatever put them there: a header of a request, an argument of a command, a
 * URL in an error's message. The values' names decide, and the shapes of what is always a secret. Each repetition is
 * bounded: a line may hold what a stranger sent.
 */

const hidden = '[redacted]';

const name = '(?:[\\w-]{0,40}(?:authorization|cookie|token|secret|password|passphrase|api-?key)|auth|pass)';

/** A member of an object whose name is that of a secret; its value a text or a list. */
const secretMember = new RegExp(
  `("${name}"\\s{0,4}:\\s{0,4})(?:"(?:[^"\\\\]|\\\\.){0,20000}"|\\[[^\\]]{0,20000}\\])`,
  'gi',
);

/** The same in JSON that stands in a string: its quotes have the backslashes that the name's have. */
const quotedSecretMember = new RegExp(
  `((\\\\{1,15})"${name}\\2"\\s{0,4}:\\s{0,4})\\2".{0,2000}?(?<!\\\\)\\2"`,
  'gi',
);

const secretShapes: readonly (readonly [RegExp, string])[] = [
  [secretMember, `$1"${hidden}"`],
  [quotedSecretMember, `$1$2"${hidden}$2"`],
  // Credentials in a URL: `redis://user:password@host`.
  [/(\b[a-z][a-z0-9+.-]{0,15}:\/\/)[^\s"/]{0,500}@/gi, `$1${hidden}@`],
  [/\b(Bearer|Basic) [\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  // A JWT: its header is JSON, which begins so in base64.
  [/\beyJ[\w-]{5,500}\.[\w-]{5,8000}\.[\w-]*/g, hidden],
  // `password=…` of a connection string, `token=…` of a query, an environment's `AUTH_SECRET=…`.
  [/\b([\w-]{0,40}(?:token|secret|password|api-?key))=[^\s&;,"\\]+/gi, `$1=${hidden}`],
];

/** @param line JSON and a line feed @returns the same */
export function redact(line: string): string {
  let text = line;
  for (const [shape, replacement] of secretShapes) text = text.replace(shape, replacement);
  return text === line || isJson(text) ? text : withheld;
}

const withheld = '{"level":"error","msg":"a line was withheld: secrets could not be taken out of it"}\n';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
