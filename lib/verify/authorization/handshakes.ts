import type { Context } from '../check.ts';
import type { Tokens } from '../tokens.ts';
import { count, list } from '../words.ts';
import { badTokens, noToken } from './bad-tokens.ts';
import { hubs, knock, type Try } from './knock.ts';
import { failed, joined, notProved, type Part, proved } from './part.ts';

/** Tries through a proxy where instances can't be reached past it: so that each of several is likely met. */
const roundsThroughProxy = 3;

/** Every hub turns away whoever has no token that holds: a namespace's middleware is run for that one alone. */
export async function tryBadTokens(context: Context, tokens: Tokens): Promise<Part> {
  if (tokens.kind === 'none') return tryWithout(context);
  const bad = await badTokens(tokens);
  const tries = await Promise.all(
    (await addressesOf(context)).flatMap((url) => bad.map((token) => knock(context, url, token))),
  ).then((all) => all.flat());
  const taken = tries.filter(({ outcome }) => outcome === 'taken');
  if (taken.length > 0) return failed({ found: describeTaken(taken), ...open });
  const refused = tries.filter(({ outcome }) => outcome === 'refused');
  const reached = [...new Set(refused.map(({ hub }) => hub))];
  if (reached.length === 0)
    return notProved(`that bad tokens are refused: ${tries[0]?.outcome ?? 'nothing tried'}`);
  const absent = hubs.filter((hub) => !reached.includes(hub));
  return joined([
    proved(
      `${list(bad.map(({ what }) => what))}: ${count(refused.length, 'handshake')} refused in ${list(reached)}`,
    ),
    ...absent.map((hub) => notProved(`tokens in the hub ${hub}: this service has none that answers`)),
    ...(tokens.mint
      ? []
      : [notProved('that expired tokens are refused: there is no key to sign one (AUTH_SECRET)')]),
  ]);
}

/** Where nobody is asked for a token at the first hub, nobody is at the others. */
async function tryWithout(context: Context): Promise<Part> {
  const addresses = await addressesOf(context);
  const tries = (await Promise.all(addresses.map((url) => knock(context, url, noToken)))).flat();
  const refused = tries.filter(({ outcome }) => outcome === 'refused');
  const taken = tries.filter(({ outcome }) => outcome === 'taken');
  if (refused.length > 0 && taken.length > 0) {
    const others = [...new Set(refused.map(({ hub }) => hub))];
    return failed({ found: `${describeTaken(taken)}, which ${list(others)} refused`, ...open });
  }
  return notProved(
    'who may connect: nobody is authenticated (AUTH=none), so everyone who reaches the service',
  );
}

/** Each instance past the proxy, or the proxy some times over. */
async function addressesOf({ target }: Context): Promise<readonly string[]> {
  const alone = (await target.control?.instances())?.flatMap(({ url }) => url ?? []) ?? [];
  return alone.length > 0 ? alone : Array.from({ length: roundsThroughProxy }, () => target.url);
}

function describeTaken(taken: readonly Try[]): string {
  const words = taken.map(
    ({ what, hub, instance }) => `${hub}${instance ? ` of ${instance}` : ''} takes ${what}`,
  );
  const different = [...new Set(words)];
  const more = different.length > 4 ? [`${different.length - 4} more`] : [];
  return [...different.slice(0, 4), ...more].join(', ');
}

const open = {
  cause:
    'a hub is opened without the middleware that authenticates (it is run for its own namespace alone), or an instance runs with AUTH=none',
  fix: "open every hub by `openHub`, or give its namespace `authenticateHandshakes`; compare the instances' AUTH and AUTH_SECRET",
};
