import { paths } from '../../app/names.ts';
import { ask } from './ask.ts';
import type { Fault } from './check.ts';
import type { Route, Sum } from './tally.ts';
import { count, figure, list } from './words.ts';

export interface Circumstances {
  /** What refused publishes were answered. */
  readonly refusals: readonly string[];
  /** Connections that ended and came back during the round. */
  readonly reconnects: number;
}

/** What is wrong with a round of messages, and the likely cause. */
export async function explainRound(url: string, sum: Sum, seen: Circumstances): Promise<Fault> {
  const found = describeLosses(sum);
  if (sharesNothing(sum.routes))
    return { found: `${found}; ${describeRoutes(sum)}`, ...(await noBackplane(url)) };
  if (sum.unacknowledged > 0) return { found: [found, ...seen.refusals.slice(0, 1)].join('; '), ...refused };
  if (seen.reconnects > 0) {
    return { found: `${found}; ${count(seen.reconnects, 'connection')} ended meanwhile`, ...interrupted };
  }
  if (sum.lost > 0) return { found: `${found}; ${describeRoutes(sum)}`, ...lost };
  return { found, ...(sum.duplicate > 0 ? repeated : disordered) };
}

/** Some pair of instances passed nothing on, while each of them delivered all to its own. */
function sharesNothing(routes: readonly Route[]): boolean {
  const within = routes.filter(({ from, to }) => from === to);
  return routes.some(({ expected, lost }) => lost === expected) && within.every(({ lost }) => lost === 0);
}

function describeLosses({ expected, arrived, lost, duplicate, outOfOrder, unacknowledged }: Sum): string {
  const parts = [
    lost > 0 && `${figure(lost)} lost`,
    duplicate > 0 && `${figure(duplicate)} repeated`,
    outOfOrder > 0 && `${figure(outOfOrder)} out of order`,
    unacknowledged > 0 && `${count(unacknowledged, 'publish', 'publishes')} not acknowledged`,
  ].filter((part) => part !== false);
  return `${figure(arrived)} of ${count(expected, 'delivery', 'deliveries')} arrived: ${list(parts)}`;
}

function describeRoutes({ routes }: Sum): string {
  const broken = routes.filter((route) => route.lost > 0);
  const shown = broken
    .slice(0, 4)
    .map(({ from, to, expected, lost }) => `${from} to ${to} lost ${lost} of ${expected}`);
  const more = broken.length > 4 ? [`${broken.length - 4} more pairs`] : [];
  return list([...shown, ...more]);
}

async function noBackplane(url: string): Promise<Omit<Fault, 'found'>> {
  const alone = (await readiness(url)) === 'single-instance';
  return {
    cause: alone
      ? `the instances share no backplane: ${paths.ready} says single-instance, so REDIS_URL is missing`
      : 'the instances share no backplane: REDIS_URL is missing on some of them or differs, or DEPLOYMENT does',
    fix: 'give every instance the same REDIS_URL and DEPLOYMENT; each says at boot in its log what it joined',
  };
}

async function readiness(url: string): Promise<string | undefined> {
  try {
    return JSON.parse((await ask(paths.ready, url)).body).status;
  } catch {
    return undefined;
  }
}

const refused = {
  cause: 'an instance can not reach the backplane at the moment, or its connection ended before it answered',
  fix: `ask for ${paths.ready}: degraded means that Redis is away; else look in the instances' logs`,
};

const interrupted = {
  cause: 'connections ended during the check: an idle timeout, a restart or a deploy',
  fix: "look in the proxy's log for who closed them, and run again when nothing is being deployed",
};

const lost = {
  cause:
    'an instance passes messages on only in part: its subscription was cut, or Redis drops a slow reader',
  fix: "look for reconnects in the instances' logs and at Redis's client-output-buffer-limit pubsub",
};

const repeated = {
  cause: 'an instance hears the backplane twice: two adapters, or two instances with one INSTANCE_ID',
  fix: 'attach one adapter to a server and give every instance a name of its own',
};

const disordered = {
  cause: "one sender's messages took two ways: two backplanes, or a publish that was sent again",
  fix: 'let all instances use one Redis, and send again with the same id',
};
