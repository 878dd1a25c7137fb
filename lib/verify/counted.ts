import type { Position } from '../../app/protocol/hub.ts';

/** What a counted message carries: who sent it, and its place among that sender's. */
export interface Stamp {
  readonly sender: string;
  readonly seq: number;
}

/** As much of a hub's message as counting needs. */
export interface Counted extends Position {
  readonly room: string;
  readonly prev?: Position;
  readonly id: string;
  readonly body: unknown;
}
