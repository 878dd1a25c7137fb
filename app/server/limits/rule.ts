/** A bucket of tokens: each call takes one, so many fit in, so many are added a second. */
export interface RateRule {
  /** Stands in the keys in Redis. */
  readonly name: string;
  /** Calls that may come at once. */
  readonly burst: number;
  /** Calls a second, for as long as one likes. */
  readonly perSecond: number;
}
