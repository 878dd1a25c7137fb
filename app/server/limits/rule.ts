/** A bucket of tokens: so many fit in, so many are added a second. What a token is, a call or a byte, the rule says. */
export interface RateRule {
  /** Stands in the keys in Redis. */
  readonly name: string;
  /** What may be taken at once. */
  readonly burst: number;
  /** Tokens a second, for as long as one likes. */
  readonly perSecond: number;
}
