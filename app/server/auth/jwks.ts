import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import { type ClaimRules, clockToleranceSeconds, readClaims } from './claims.ts';
import { AuthenticationError } from './errors.ts';
import type { Identity } from './identity.ts';

/** Signatures by a private key alone: a shared secret has no place in published keys. */
const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

/** All in milliseconds of a monotonic clock. */
export interface KeyTimes {
  /** An answer takes no longer: the first handshakes wait for it. @default 5,000 */
  readonly timeout: number;
  /** Keys are fetched anew when they are older, while handshakes go on with those that are known. @default 600,000 */
  readonly fresh: number;
  /** While the provider is away its keys serve for so long. @default 86,400,000, a day */
  readonly longest: number;
  /** From one fetch to the next that a token with an unknown key can cause. @default 30,000 */
  readonly cooldown: number;
  /** The same while fetches fail. @default 1,000 */
  readonly retry: number;
}

export interface JwksOptions {
  readonly url: string;
  readonly rules: ClaimRules;
  /** @default nobody hears why keys can't be fetched */
  readonly log?: Pick<Logger, 'warn'> | undefined;
  readonly times?: Partial<KeyTimes>;
}

/** Verifies tokens by the keys that an identity provider publishes. */
export function jwksVerifier({ url, rules, log, times }: JwksOptions): (token: string) => Promise<Identity> {
  const keys = new PublishedKeys(url, log, times);
  const getKey: JWTVerifyGetKey = (header, token) => keys.find(header, token);
  return async (token) => {
    const options = { algorithms, clockTolerance: clockToleranceSeconds };
    const { payload } = await jwtVerify(token, getKey, options).catch((error: Error) => {
      throw explain(error);
    });
    return readClaims(payload, rules);
  };
}

const defaultTimes: KeyTimes = {
  timeout: 5_000,
  fresh: 600_000,
  longest: 86_400_000,
  cooldown: 30_000,
  retry: 1_000,
};
/** Bytes of a key set; those of large providers have some 10 KB. */
const largestKeySet = 262_144;
/** A provider that stays away is reported again this often, in milliseconds. */
const reportEveryMs = 60_000;

/** An identity provider's keys: the last known ones serve while it hangs, is away, or answers with something else. */
class PublishedKeys {
  readonly #url: string;
  readonly #log: JwksOptions['log'];
  readonly #times: KeyTimes;
  #keys: JWTVerifyGetKey | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #fault: Error | undefined;
  #pending: Promise<void> | undefined;

  constructor(url: string, log: JwksOptions['log'], times: Partial<KeyTimes> = {}) {
    this.#url = url;
    this.#log = log;
    this.#times = { ...defaultTimes, ...times };
  }

  /** @throws Error, of jose's own where the key set has no such key, else because there are no keys */
  async find(...asked: Parameters<JWTVerifyGetKey>): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    const age = performance.now() - this.#fetchedAt;
    if (age > this.#times.longest) await this.#fetch();
    else if (age > this.#times.fresh) void this.#fetch().catch(() => undefined);
    try {
      return await this.#known(...asked);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // The provider may have begun to sign with a new key.
      if (performance.now() - this.#fetchedAt > this.#times.cooldown) await this.#fetch();
      return this.#known(...asked);
    }
  }

  get #known(): JWTVerifyGetKey {
    if (!this.#keys) throw new Error('no keys were fetched');
    return this.#keys;
  }

  /** One fetch at a time, whoever waits for it. @throws Error why there are no new keys */
  async #fetch(): Promise<void> {
    if (!this.#pending && this.#fault && performance.now() - this.#triedAt < this.#times.retry) {
      throw this.#fault;
    }
    this.#pending ??= this.#load().finally(() => {
      this.#pending = undefined;
    });
    await this.#pending;
  }

  async #load(): Promise<void> {
    this.#triedAt = performance.now();
    try {
      this.#keys = createLocalJWKSet(await fetchKeySet(this.#url, this.#times.timeout));
      this.#fetchedAt = performance.now();
      this.#fault = undefined;
    } catch (error) {
      this.#fault = error as Error;
      this.#report(error as Error);
      throw error;
    }
  }

  #report({ message }: Error): void {
    const now = performance.now();
    if (now - this.#reportedAt < reportEveryMs) return;
    this.#reportedAt = now;
    const outcome = this.#keys
      ? 'the last known ones serve meanwhile'
      : 'nobody can be authenticated by them';
    this.#log?.warn(`AUTH_JWKS_URL: the keys at ${this.#url} can't be fetched (${message}): ${outcome}`);
  }
}

/** @throws Error when it takes too long, is too large, or is no key set */
async function fetchKeySet(url: string, timeoutMs: number): Promise<JSONWebKeySet> {
  const response = await fetch(url, {
    headers: { accept: 'application/json, application/jwk-set+json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`it answered ${response.status} in place of 200`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > largestKeySet) throw new Error(`it has more than ${largestKeySet} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as JSONWebKeySet;
}

function explain(error: Error): AuthenticationError {
  if (error instanceof errors.JWTExpired) {
    return new AuthenticationError('expired', 'the token has expired: get a new one');
  }
  const isOfToken =
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported;
  if (isOfToken) return new AuthenticationError('invalid', "the token can't be verified");
  return new AuthenticationError('unavailable', "the keys can't be fetched now: try again");
}
