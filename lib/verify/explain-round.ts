import { paths } from '../../app/names.ts';
import { ask } from './ask.ts';
import type { Fault } from './check.ts';
import type { Route, Sum } from './tally.ts';
import { count, figure, list } from './words.ts';

export interface Circumstances {
  /** What refused publishes were answered. */
  readonly refusals: readonly string[];
  /** Connections that ended during the round and should have held. */
  readonly ended?: number;
  /** Clients were away meanwhile, and came back with their position. */
  readonly cameBack?: boolean;
}

/** What is wrong with a round of messages, and the likely cause. */
export async function explainRound(url: string, sum: Sum, seen: Circumstances): Promise<Fault> {
  const losses = describeLosses(sum);
  const found = sum.lost > 0 ? `${losses}; ${describeRoutes(sum)}` : losses;
  if (sharesNothing(sum.routes)) return { found, ...(await noBackplane(url)) };
  if (sum.unacknowledged > 0 && seen.refusals.some((words) => words.includes('rate_limited'))) {
    return { found: [losses, ...seen.refusals.slice(0, 1)].join('; '), ...limited };
  }
  if (sum.unacknowledged > 0) return { found: [losses, ...seen.refusals.slice(0, 1)].join('; '), ...refused };
  if (seen.ended)
    return { found: `${losses}; ${count(seen.ended, 'connection')} ended meanwhile`, ...interrupted };
  if (sum.told > 0) return { found, ...(await explainUnserved(url)) };
  return { found, ...likely(sum, seen.cameBack ?? false) };
}

function likely(sum: Sum, cameBack: boolean): Omit<Fault, 'found'> {
  if (sum.misplaced > 0) return misplaced;
  if (sum.rewritten > 0) return writtenAgain;
  if (sum.duplicate > 0) return cameBack ? servedAgain : repeated;
  if (sum.lost > 0) return cameBack ? unrecovered : lost;
  return sum.outOfOrder > 0 ? disordered : jumped;
}

/** Some pair of instances passed nothing on, while each of them delivered all to its own. */
function sharesNothing(routes: readonly Route[]): boolean {
  const within = routes.filter(({ from, to }) => from === to);
  return routes.some(({ expected, lost }) => lost === expected) && within.every(({ lost }) => lost === 0);
}

function describeLosses(sum: Sum): string {
  const { lost, duplicate, outOfOrder, jumped, misplaced, told, unacknowledged } = sum;
  const parts = [
    lost > 0 && `${figure(lost)} lost`,
    duplicate > 0 && `${figure(duplicate)} repeated`,
    outOfOrder > 0 && `${figure(outOfOrder)} out of order`,
    // What is lost is jumped over too, and told once.
    lost === 0 && jumped > 0 && `${count(jumped, 'offset')} jumped over`,
    misplaced > 0 && `${figure(misplaced)} acknowledged at another position than they were heard at`,
    told > 0 && `${count(told, 'loss', 'losses')} told to clients`,
    unacknowledged > 0 && `${count(unacknowledged, 'publish', 'publishes')} not acknowledged`,
  ].filter((part) => part !== false);
  return `${figure(sum.arrived)} of ${count(sum.expected, 'delivery', 'deliveries')} arrived: ${list(parts)}`;
}

function describeRoutes({ routes }: Sum): string {
  const broken = routes.filter((route) => route.lost > 0);
  const shown = broken
    .slice(0, 4)
    .map(({ from, to, expected, lost }) => `${from} to ${to} lost ${lost} of ${expected}`);
  const more = broken.length > 4 ? [`${broken.length - 4} more pairs`] : [];
  return list([...shown, ...more]);
}

/** Positions that one instance gave out were not served by another, or not any more. */
export async function explainUnserved(url: string): Promise<Omit<Fault, 'found'>> {
  return (await servesAlone(url)) ? noBackplane(url) : unserved;
}

/** Whether the instance that answers has no backplane by its own word. */
export async function servesAlone(url: string): Promise<boolean> {
  return (await readiness(url)) === 'single-instance';
}

export async function noBackplane(url: string): Promise<Omit<Fault, 'found'>> {
  const alone = await servesAlone(url);
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

const limited = {
  cause: 'the service limits what one user publishes to less than this run needs',
  fix: 'give fewer --messages or --clients; with guests, or AUTH_SECRET, each client is a user of its own',
};

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

const unserved = {
  cause: 'the log no longer held what the clients had missed: its bounds are too small, or Redis lost writes',
  fix: "look for a failover or a full memory in Redis's log; raise the rooms' maxLength, maxBytes or maxAgeMs",
};

const misplaced = {
  cause: 'publishes are answered with a position that their message does not have: not the one of the append',
  fix: 'answer a publish with the epoch and the offset that its append to the log returned',
};

const writtenAgain = {
  cause: 'a publish that was sent again was written again: its sender was taken for another one',
  fix: "let `subjectOf` name the user and not the connection, so that the id's first position is found",
};

const servedAgain = {
  cause: 'a client that comes back is answered with messages that it had, or with some of them twice',
  fix: 'answer a join with what lies behind `since`, each message once, in the order of the log',
};

const unrecovered = {
  cause: 'a client that comes back is answered `recovered: true` without all that it missed',
  fix: 'answer with everything behind `since` up to the offset of the answer, or with `recovered: false`',
};

const jumped = {
  cause: 'offsets are given that no message has: they are counted outside the log',
  fix: 'give each message the offset at which it stands in the log, counted in the script that appends it',
};
