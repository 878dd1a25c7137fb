import { type Check, CheckFailure, CheckSkip, type Context, type Proof } from '../check.ts';
import { type IdleConnection, IdleConnections } from '../idle-connections.ts';
import { until } from '../wait.ts';
import { duration, list } from '../words.ts';

/** Least time that connections are held where no other check took as long, in milliseconds. */
const leastSilenceMs = 2_000;
/** Heartbeats that `--long` waits for: the first silence may be a lucky one. */
const heartbeats = 2;
/** A heartbeat is this late at most, in milliseconds. */
const latenessMs = 5_000;

export const idleTimeout: Check<IdleConnections> = {
  name: 'idle-timeout',
  title: 'The proxy leaves a connection open on which nothing moves',
  needs: [],
  begin: (context) => new IdleConnections(context),
  run: async (context, begun = new IdleConnections(context)) => {
    try {
      return await watch(context, begun.all);
    } finally {
      // What changes the topology next may cut them.
      begun.close();
    }
  },
};

async function watch(context: Context, all: readonly IdleConnection[]): Promise<Proof> {
  await until(() => all.every(({ wasOpen, fault }) => wasOpen || fault !== undefined), context);
  const open = all.filter(({ wasOpen }) => wasOpen);
  const closed = all.filter(({ wasOpen }) => !wasOpen);
  if (open.length === 0)
    throw new CheckSkip(`no connection could be opened: ${closed[0]?.fault ?? 'no answer'}`);
  const isLongEnough = context.long
    ? (each: IdleConnection) => each.heartbeats >= heartbeats
    : (each: IdleConnection) => each.longestSilenceMs >= leastSilenceMs;
  const timeoutMs = context.long ? longestWait(open) : leastSilenceMs * 2;
  await until(() => open.some(wasCut) || open.every(isLongEnough), { ...context, timeoutMs });
  const cut = open.filter(wasCut);
  if (cut.length > 0) throw new CheckFailure(explain(cut));
  const silent = open.filter((each) => context.long && !isLongEnough(each));
  if (silent.length > 0) throw new CheckFailure(noHeartbeat(silent));
  return prove(open, closed);
}

function wasCut({ cutAfterMs }: IdleConnection): boolean {
  return cutAfterMs !== undefined;
}

function longestWait(open: readonly IdleConnection[]): number {
  return heartbeats * Math.max(...open.map(({ pingIntervalMs }) => pingIntervalMs)) + latenessMs;
}

function prove(open: readonly IdleConnection[], closed: readonly IdleConnection[]): Proof {
  const held = open.map(({ what, longestSilenceMs }) => `${what} silent for ${duration(longestSilenceMs)}`);
  const seen = Math.min(...open.map((each) => each.heartbeats));
  const every = duration(Math.max(...open.map(({ pingIntervalMs }) => pingIntervalMs)));
  const short =
    seen > 0
      ? []
      : [`that they outlast the ${every} between two heartbeats: this run was shorter; --long waits for two`];
  return {
    proved: `${list(held)}, still open; a heartbeat every ${every}${seen > 0 ? `, ${seen} of them came` : ''}`,
    notProved: [...short, ...closed.map(({ what, fault }) => `${what}: ${fault ?? 'it did not open'}`)],
  };
}

function explain(cut: readonly IdleConnection[]) {
  const said = cut.map(
    ({ what, cutAfterMs = 0, fault }) =>
      `${what} was cut after ${duration(cutAfterMs)} without traffic (${fault})`,
  );
  const every = duration(cut[0]?.pingIntervalMs ?? 0);
  return {
    found: `${list(said)}; the heartbeat comes every ${every}`,
    cause: "the proxy's idle timeout is shorter than that, or a restart ended the connection",
    fix: 'raise it above 45 s, interval and timeout of the heartbeat (ALB: idle_timeout.timeout_seconds; nginx: proxy_read_timeout; HAProxy: timeout tunnel, timeout server), on every hop',
  };
}

function noHeartbeat(silent: readonly IdleConnection[]) {
  return {
    found: `${list(silent.map(({ what, heartbeats: number }) => `${what} heard ${number} of ${heartbeats} heartbeats`))} in time`,
    cause:
      'a hop keeps the connection open and passes nothing on: it buffers answers, or lost its other side',
    fix: 'turn response buffering off at the proxy (nginx: proxy_buffering off)',
  };
}
