import { defineHub, type HubDefinition } from '../define.ts';

/** Progress and results of long jobs: a room for each job, published by its worker. */
export const backtests = defineFeed('backtests', '/backtesthub');

/** Updates of bots: a room for each bot, published by whatever runs it. */
export const bots = defineFeed('bots', '/bothub');

/** Rooms that backends publish to, over HTTP, and clients read. */
function defineFeed(name: string, path: string): HubDefinition {
  return defineHub({ name, path, publishers: 'backends', presence: false });
}
