import { defineFeed } from './feed.ts';

/** Updates of bots: a room for each bot, published by whatever runs it. */
export const bots = defineFeed('bots');
