import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const cookieNames = ['AWSALB', 'AWSALBCORS'] as const;
const algorithm = 'aes-128-gcm';
const ivBytes = 12;
const tagBytes = 16;

/**
 * The load balancer's two cookies. Their value is encrypted with a key of this process: a client can't read a target's
 * name in it, and a value that was made elsewhere is ignored.
 */
export class Stickiness {
  readonly #key = randomBytes(16);
  readonly #durationMs: number;

  /** @param durationMs how long a browser keeps the cookies, counted anew from each response; in milliseconds */
  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  /** The target's key in a request's `Cookie` header, from the first of the two cookies that can be decrypted. */
  read(cookieHeader: string | undefined): string | undefined {
    for (const name of cookieNames) {
      const value = cookieValue(cookieHeader, name);
      const key = value && this.#decrypt(value);
      if (key) return key;
    }
    return undefined;
  }

  /** The `Set-Cookie` lines that tie a client to a target. */
  cookies(targetKey: string): string[] {
    const value = this.#encrypt(targetKey);
    const expires = new Date(Date.now() + this.#durationMs).toUTCString();
    return [
      `AWSALB=${value}; Expires=${expires}; Path=/`,
      `AWSALBCORS=${value}; Expires=${expires}; Path=/; SameSite=None`,
    ];
  }

  #encrypt(text: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv(algorithm, this.#key, iv);
    const encrypted = Buffer.concat([cipher.update(text), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), encrypted]).toString('base64url');
  }

  #decrypt(value: string): string | undefined {
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.length <= ivBytes + tagBytes) return undefined;
    try {
      const decipher = createDecipheriv(algorithm, this.#key, bytes.subarray(0, ivBytes));
      decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
      return decipher.update(bytes.subarray(ivBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return undefined;
    }
  }
}

function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
