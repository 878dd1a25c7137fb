import { type Check, CheckFailure, type Fault, NotProvedError } from '../../check.ts';
import { joined } from './findings.ts';
import { probeBadTokens, probeOrigins } from './handshakes.ts';
import { probeFeeds, probeHttp } from './publishers.ts';
import { probeRooms } from './rooms.ts';

export const authorization: Check = {
  name: 'authorization',
  title: 'Who may not do something is rejected, everywhere',
  needs: [],
  run: async (context) => {
    const findings = joined([
      await probeBadTokens(context),
      await probeOrigins(context.target.url),
      await probeRooms(context),
      await probeFeeds(context),
      await probeHttp(context),
    ]);
    if (findings.faults.length > 0) throw new CheckFailure(asOne(findings.faults));
    if (findings.proved.length === 0) throw new NotProvedError(findings.notProved.join('; '));
    return { proved: findings.proved.join('; '), notProved: findings.notProved };
  },
};

/** Joins all faults into one, with each cause and fix once. */
function asOne(faults: readonly Fault[]): Fault {
  const all = (key: keyof Fault) => [...new Set(faults.map((fault) => fault[key]))].join('; ');
  return { found: all('found'), cause: all('cause'), fix: all('fix') };
}
