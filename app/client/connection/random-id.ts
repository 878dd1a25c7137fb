/** An id has 16 bytes in hexadecimal. Without `crypto`, this many of its digits are the time. */
const bytesOfId = 16;
const digitsOfTime = 12;

/**
 * 128 random bits in hexadecimal. `crypto.randomUUID` is absent from pages that are not served over HTTPS.
 *
 * React Native has no `crypto` at all. There an id consists of the time in milliseconds and 80 bits of `Math.random`.
 * No two clients make the same id, but an attacker could guess one.
 */
export function randomId(): string {
  const bytes = new Uint8Array(bytesOfId);
  // Some platforms have `crypto` without this method.
  if (typeof globalThis.crypto?.getRandomValues === 'function') return inHex(crypto.getRandomValues(bytes));
  const time = Date.now().toString(16).padStart(digitsOfTime, '0');
  return time + inHex(bytes.map(() => Math.random() * 256)).slice(digitsOfTime);
}

function inHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
