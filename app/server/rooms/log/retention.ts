/** How much of a room is kept, and for how long. A log is a delivery window, not a database. */
export interface Retention {
  /** Messages. Redis trims in blocks: up to 100 more may be there. */
  readonly maxLength: number;
  /** Bytes of message text, looked at every 16 appends. */
  readonly maxBytes: number;
  /** Milliseconds since a message was appended. */
  readonly maxAgeMs: number;
  /** Milliseconds that the room's epochs outlive its last use. */
  readonly metaAgeMs: number;
  /** Milliseconds for which a repeated id is answered with the first one's position. */
  readonly idWindowMs: number;
}

/** The one place of these numbers: knobs, variables, plans and documents follow it. */
export const defaultRetention: Retention = {
  maxLength: 1_000,
  maxBytes: 1_000_000,
  maxAgeMs: 600_000,
  metaAgeMs: 7 * 24 * 3_600_000,
  idWindowMs: 120_000,
};
