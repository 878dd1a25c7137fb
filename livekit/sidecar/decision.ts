/** What is known of the task at one look. Times are milliseconds since 1970. */
export interface Facts {
  readonly now: number;
  /** Participants, or jobs. Undefined: it can't be told now. */
  readonly load: number | undefined;
  /** Since when somebody is there without a break. Undefined: nobody is. */
  readonly busySince: number | undefined;
  /** When the deployment began that takes this one's place. Undefined: this one is the current. */
  readonly supersededAt: number | undefined;
  /** All tasks of that deployment run. */
  readonly isReplaced: boolean;
}

export interface Limits {
  readonly maxCallDrainMs: number;
  readonly maxProtectionMs: number;
}

export interface Decision {
  /** Undefined: leave it as it is; protection ends by itself. */
  readonly protect: boolean | undefined;
  /** Take no new rooms. There is no way back. */
  readonly drain: boolean;
  readonly why: 'unknown' | 'empty' | 'busy' | 'call drain is over' | 'was never empty';
}

/**
 * A task is protected while somebody is there, within limits: one that is superseded keeps its calls for
 * `maxCallDrain`, and one that is never empty can't block scaling for ever.
 *
 * A superseded one drains only when its successors run: else nobody would take new rooms while they start.
 */
export function decide(facts: Facts, limits: Limits): Decision {
  const { load, busySince, supersededAt, isReplaced, now } = facts;
  const drain = supersededAt !== undefined && isReplaced;
  if (load === undefined) return { protect: undefined, drain, why: 'unknown' };
  if (load === 0) return { protect: false, drain, why: 'empty' };
  if (supersededAt !== undefined && now - supersededAt >= limits.maxCallDrainMs) {
    return { protect: false, drain: true, why: 'call drain is over' };
  }
  if (busySince !== undefined && now - busySince >= limits.maxProtectionMs) {
    return { protect: false, drain, why: 'was never empty' };
  }
  return { protect: true, drain, why: 'busy' };
}
