import { type Check, CheckFailure, type Fault, NotProvedError } from '../../check.ts';
import { askReadiness, type ReadinessReply } from '../../target/readiness.ts';
import { until } from '../../wait.ts';
import { count, list } from '../../wording.ts';

/** A failover of Redis, or an instance that starts, takes some seconds; in milliseconds. */
const longestWaitMs = 10_000;
const askTimeoutMs = 5_000;

export const readiness: Check = {
  name: 'readiness',
  title: 'Every instance says that it is ready, all with Redis or all without',
  needs: [],
  worksWithoutRooms: true,
  run: async (context) => {
    let replies: readonly ReadinessReply[] = [];
    const areReady = async () => {
      replies = await askReadiness(context.target, Math.min(context.timeoutMs, askTimeoutMs));
      return saidAlike(replies, 'ok') || saidAlike(replies, 'single-instance');
    };
    const timeoutMs = Math.min(context.timeoutMs, longestWaitMs);
    if (await until(areReady, { ...context, timeoutMs })) return { proved: describe(replies) };
    if (replies.every(({ readiness: said }) => said === undefined) && !context.target.control) {
      throw new NotProvedError(
        `the health of the instances is not passed on: ${list(differentWords(replies))}`,
      );
    }
    throw new CheckFailure({ found: describe(replies), ...causeOf(replies) });
  },
};

function saidAlike(replies: readonly ReadinessReply[], readiness: ReadinessReply['readiness']): boolean {
  return replies.length > 0 && replies.every((reply) => reply.readiness === readiness);
}

/** `app-1 and app-2 say ok`, `8 of 8 requests through the proxy got ok` */
function describe(replies: readonly ReadinessReply[]): string {
  const said = differentWords(replies).map((words) => {
    const same = replies.filter((reply) => reply.words === words);
    const names = [...new Set(same.map(({ from }) => from))];
    if (names.length < same.length || names[0] === 'the proxy') {
      return `${same.length} of ${count(replies.length, 'request')} through the proxy got ${words}`;
    }
    return `${list(names)} ${names.length > 1 ? 'say' : 'says'} ${words}`;
  });
  return said.join('; ');
}

function differentWords(replies: readonly ReadinessReply[]): readonly string[] {
  return [...new Set(replies.map(({ words }) => words))];
}

function causeOf(replies: readonly ReadinessReply[]): Omit<Fault, 'found'> {
  const isSaid = (readiness: ReadinessReply['readiness']) =>
    replies.some((reply) => reply.readiness === readiness);
  if (isSaid('degraded')) return redisAway;
  if (isSaid('single-instance') && isSaid('ok')) return someAlone;
  if (isSaid('starting')) return starting;
  return isSaid('draining') ? draining : down;
}

const redisAway = {
  cause: 'its Redis is away: it ended, hangs, or fails over, or the network to it is cut',
  fix: "look whether Redis runs and answers PING, and in the instance's log",
};

const someAlone = {
  cause: 'an instance was started without Redis beside others that share one',
  fix: 'give every instance the same REDIS_URL and DEPLOYMENT; each says at boot in its log what it joined',
};

const starting = {
  cause: 'an instance has not reached its Redis since its start',
  fix: 'its log says why: a wrong address or password, crossed TLS, a firewall; REDIS_URL=none lets one instance serve alone',
};

const draining = {
  cause: 'an instance is leaving: it is being replaced, or somebody has ended it',
  fix: 'run this again when the deployment is over',
};

const down = {
  cause: 'an instance is down, or hangs',
  fix: "look in its log, and at what starts it again; then at the proxy's list of targets",
};
