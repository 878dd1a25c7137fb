import { paths } from '../../../../app/names.ts';
import type { DeliveryReport, Route } from '../../accounting/delivery-report.ts';
import type { Fault } from '../../check.ts';
import { readinessIn } from '../../target/readiness.ts';
import { sendRequest } from '../../target/request.ts';
import { count, figure, list } from '../../wording.ts';

/** What happened during the exchange. */
export interface ExchangeContext {
  /** The replies to rejected publishes. */
  readonly rejections: readonly string[];
  /** The number of connections that ended unexpectedly. */
  readonly ended?: number;
  /** Whether clients were away meanwhile, and came back with their position. */
  readonly cameBack?: boolean;
}

/** Describes what is wrong with an exchange of messages, and the likely cause. */
export async function explainExchange(
  url: string,
  report: DeliveryReport,
  exchange: ExchangeContext,
): Promise<Fault> {
  const losses = describeLosses(report);
  const found = report.lost > 0 ? `${losses}; ${describeRoutes(report)}` : losses;
  if (sharesNothing(report.routes)) return { found, ...(await noBackplane(url)) };
  if (report.unacknowledged > 0 && exchange.rejections.some((words) => words.includes('rate_limited'))) {
    return { found: [losses, ...exchange.rejections.slice(0, 1)].join('; '), ...limited };
  }
  if (report.unacknowledged > 0)
    return { found: [losses, ...exchange.rejections.slice(0, 1)].join('; '), ...rejected };
  if (exchange.ended)
    return { found: `${losses}; ${count(exchange.ended, 'connection')} ended meanwhile`, ...interrupted };
  if (report.notified > 0) return { found, ...(await explainUnserved(url)) };
  return { found, ...likely(report, exchange.cameBack ?? false) };
}

function likely(report: DeliveryReport, cameBack: boolean): Omit<Fault, 'found'> {
  if (report.misplaced > 0) return misplaced;
  if (report.rewritten > 0) return writtenAgain;
  if (report.duplicated > 0) return cameBack ? servedAgain : repeated;
  if (report.lost > 0) return cameBack ? unrecovered : lost;
  return report.outOfOrder > 0 ? disordered : skipped;
}

/** Whether some pair of instances passed nothing on, while each of them delivered everything to its own clients. */
function sharesNothing(routes: readonly Route[]): boolean {
  const within = routes.filter(({ from, to }) => from === to);
  return routes.some(({ expected, lost }) => lost === expected) && within.every(({ lost }) => lost === 0);
}

function describeLosses(report: DeliveryReport): string {
  const { lost, duplicated, outOfOrder, skipped, misplaced, notified, unacknowledged } = report;
  const parts = [
    lost > 0 && `${figure(lost)} lost`,
    duplicated > 0 && `${figure(duplicated)} repeated`,
    outOfOrder > 0 && `${figure(outOfOrder)} out of order`,
    // Lost messages are skipped, too, and are reported once.
    lost === 0 && skipped > 0 && `${count(skipped, 'offset')} skipped`,
    misplaced > 0 && `${figure(misplaced)} acknowledged at another position than they were delivered at`,
    notified > 0 && `${count(notified, 'loss', 'losses')} notified to clients`,
    unacknowledged > 0 && `${count(unacknowledged, 'publish', 'publishes')} not acknowledged`,
  ].filter((part) => part !== false);
  return `${figure(report.arrived)} of ${count(report.expected, 'delivery', 'deliveries')} arrived: ${list(parts)}`;
}

function describeRoutes({ routes }: DeliveryReport): string {
  const broken = routes.filter((route) => route.lost > 0);
  const shown = broken
    .slice(0, 4)
    .map(({ from, to, expected, lost }) => `${from} to ${to} lost ${lost} of ${expected}`);
  const more = broken.length > 4 ? [`${broken.length - 4} more pairs`] : [];
  return list([...shown, ...more]);
}

/** Positions that one instance assigned were not served by another, or not any more. */
export async function explainUnserved(url: string): Promise<Omit<Fault, 'found'>> {
  return (await servesAlone(url)) ? noBackplane(url) : unserved;
}

/** Whether the instance that answers says that it has no backplane. */
export async function servesAlone(url: string): Promise<boolean> {
  const response = await sendRequest(paths.ready, url).catch(() => undefined);
  return response !== undefined && readinessIn(response) === 'single-instance';
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

const limited = {
  cause: 'the service limits what one user publishes to less than this run needs',
  fix: 'give fewer --messages or --clients; with guests, or AUTH_SECRET, each client is a user of its own',
};

const rejected = {
  cause: 'an instance can not reach the backplane at the moment, or its connection ended before it replied',
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
  cause: 'an instance receives from the backplane twice: two adapters, or two instances with one INSTANCE_ID',
  fix: 'attach one adapter to a server and give every instance a name of its own',
};

const disordered = {
  cause: "one sender's messages took two ways: two backplanes, or a publish that was sent again",
  fix: 'let all instances use one Redis, and send again with the same id',
};

const unserved = {
  cause:
    'the log no longer held what the clients had missed: its retention is too short, or Redis lost writes',
  fix: "look for a failover or a full memory in Redis's log; raise ROOM_LOG_MESSAGES, ROOM_LOG_BYTES or ROOM_LOG_SECONDS",
};

const misplaced = {
  cause:
    'publishes are acknowledged with a position that their message does not have: not the one of the append',
  fix: 'acknowledge a publish with the epoch and the offset that its append to the log returned',
};

const writtenAgain = {
  cause: 'a publish that was sent again was written again: its sender was taken for another one',
  fix: "let `subjectOf` name the user and not the connection, so that the id's first position is found",
};

const servedAgain = {
  cause: 'a client that comes back gets messages that it had, or some of them twice',
  fix: 'reply to a join with what lies behind `since`, each message once, in the order of the log',
};

const unrecovered = {
  cause: 'a client that comes back gets `recovered: true` without all that it missed',
  fix: 'reply with everything behind `since` up to the offset of the reply, or with `recovered: false`',
};

const skipped = {
  cause: 'offsets are given that no message has: they are counted outside the log',
  fix: 'give each message the offset at which it stands in the log, counted in the script that appends it',
};
