import { defineFeed } from './feed.ts';

/** Progress and results of long jobs: a room for each job, published by its worker. */
export const backtests = defineFeed('backtests');
