/** All in milliseconds. */
export interface LeaseTimes {
  /** @default 1,000 */
  readonly beatEveryMs: number;
  /** @default 6,000: five beats may be lost, or a connection be made anew */
  readonly leaseMs: number;
  /** @default 2,500: less than a lease minus a beat, so that a stall shows before leases run out */
  readonly longestGapMs: number;
  /** @default 6,000: an instance that lost Redis gives a silent connection up after 5 s */
  readonly quietMs: number;
  /** A dead owner is handed out again unless it was handled in this time. @default 10,000 */
  readonly handOutAgainMs: number;
}

export const defaultLeaseTimes: LeaseTimes = {
  beatEveryMs: 1_000,
  leaseMs: 6_000,
  longestGapMs: 2_500,
  quietMs: 6_000,
  handOutAgainMs: 10_000,
};
