import { defineHub, type HubDefinition } from './define.ts';

/** Rooms that backends publish to, over HTTP, and clients read. */
export function defineFeed(name: string): HubDefinition {
  return defineHub({ name, publishers: 'backends', presence: false });
}
