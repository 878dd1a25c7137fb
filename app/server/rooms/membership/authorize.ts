import type { Member } from '../member.ts';

/** May this member do that in this room? Undefined is a no. */
export type Authorize<M extends Member> = (
  member: M,
  action: 'join' | 'publish',
  room: string,
) => Grant | undefined | Promise<Grant | undefined>;

export interface Grant {
  /**
   * The earliest offset of the log that the member is given; what it hears live it hears. Beyond the head it means
   * live messages alone. What it hides of messages that the member would have heard live is reported as lost. @default 1
   */
  readonly visibleFrom?: number;
  /**
   * The epoch that `visibleFrom` was taken in: it hides nothing in a room that began anew since, whose offsets start
   * again. @default none: it holds in every epoch
   */
  readonly epoch?: string;
  /** Another one that holds as well. @default none */
  readonly and?: Grant;
}
