/** `1 client`, `2 clients`, `1,200 clients`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${figure(number)} ${number === 1 ? noun : plural}`;
}

/** With a comma at the thousands, whatever the machine's locale. */
export function figure(number: number): string {
  return number.toLocaleString('en-US');
}

/** `a`, `a and b`, `a, b and c`. */
export function list(words: readonly string[], joint = 'and'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${joint} ${words.at(-1)}`;
}

/** `40 ms`, `1.2 s`. */
export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
