import { tryBadTokens } from '../authorization/handshakes.ts';
import { tryOrigins } from '../authorization/origins.ts';
import { joined } from '../authorization/part.ts';
import { tryFeeds, tryHttp } from '../authorization/publishers.ts';
import { tryRooms } from '../authorization/rooms.ts';
import { type Check, CheckFailure, CheckSkip, type Fault } from '../check.ts';
import { noTokens } from '../tokens.ts';

export const authorization: Check = {
  name: 'authorization',
  title: 'Who may not do something is refused, everywhere',
  needs: [],
  run: async (context) => {
    const { url, tokens = noTokens } = context.target;
    const found = joined([
      await tryBadTokens(context, tokens),
      await tryOrigins(url),
      await tryRooms(context, tokens),
      await tryFeeds(context),
      await tryHttp(context),
    ]);
    if (found.faults.length > 0) throw new CheckFailure(asOne(found.faults));
    if (found.proved.length === 0) throw new CheckSkip(found.notProved.join('; '));
    return { proved: found.proved.join('; '), notProved: found.notProved };
  },
};

/** All that was found, with each cause and fix once. */
function asOne(faults: readonly Fault[]): Fault {
  const all = (key: keyof Fault) => [...new Set(faults.map((fault) => fault[key]))].join('; ');
  return { found: all('found'), cause: all('cause'), fix: all('fix') };
}
