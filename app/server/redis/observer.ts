/** Notified of how the backplane does, for metrics; must be quick and must not throw. */
export interface BackplaneObserver {
  /** The heartbeat went round: over the link for commands, through Redis, back over that for subscriptions. */
  roundTrip(milliseconds: number): void;
  /** @param link what it is for, such as `commands` */
  failed(link: string, fault: RedisFault, reason: Error): void;
}

/** A connection could not be made; one that stood was lost; no answer came in time; the server takes no writes. */
export type RedisFault = 'connect' | 'lost' | 'overdue' | 'read-only';
