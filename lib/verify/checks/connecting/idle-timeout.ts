import {
  type Background,
  type Check,
  CheckFailure,
  type Context,
  NotProvedError,
  type Proof,
} from '../../check.ts';
import type { Client } from '../../clients/client.ts';
import type { Clients } from '../../clients/clients.ts';
import { until } from '../../wait.ts';
import { duration, list } from '../../wording.ts';

/** The shortest time to hold connections if no other check took as long, in milliseconds. */
const leastSilenceMs = 2_000;
/** The number of heartbeats that `--long` waits for. One silence without an end may be luck. */
const heartbeats = 2;
/** A heartbeat is late by at most this, in milliseconds. */
const latenessMs = 5_000;

export const idleTimeout: Check<IdleConnections> = {
  name: 'idle-timeout',
  title: 'The proxy leaves a connection open on which nothing moves',
  needs: [],
  worksWithoutRooms: true,
  begin: (context) => new IdleConnections(context.clients),
  run: async (context, begun = new IdleConnections(context.clients)) => {
    try {
      return await watch(context, begun.all);
    } finally {
      // Later checks change the topology, and may end these connections.
      begun.close();
    }
  },
};

/** One connection for each transport, opened when the run starts. */
class IdleConnections implements Background {
  readonly all: readonly IdleConnection[];
  readonly #clients: Clients;

  constructor(clients: Clients) {
    this.#clients = clients;
    this.all = [
      new IdleConnection('a WebSocket', clients.open('websocket')),
      new IdleConnection('a long poll', clients.open('polling')),
    ];
  }

  close(): void {
    this.#clients.closeAll();
  }
}

/** A client that sends nothing by itself, and measures how long its connection was silent. */
class IdleConnection {
  /** `a WebSocket`, `a long poll` */
  readonly what: string;
  readonly #client: Client;
  /** The interval of the server's heartbeats, from its handshake; in milliseconds. */
  pingIntervalMs = 0;
  /** The server's heartbeats so far. Each came after a silence that the connection survived. */
  heartbeats = 0;
  /** How long the connection was silent when it ended, in milliseconds. Undefined while it is open. */
  cutAfterMs: number | undefined;
  #lastMoved = performance.now();
  #longestSilenceMs = 0;

  constructor(what: string, client: Client) {
    this.what = what;
    this.#client = client;
    const { engine } = client;
    engine.on('handshake', (handshake) => {
      this.pingIntervalMs = (handshake as { pingInterval: number }).pingInterval;
    });
    engine.on('packet', ({ type }) => {
      if (type === 'ping') this.heartbeats += 1;
      this.#moved();
    });
    engine.on('packetCreate', () => this.#moved());
    engine.on('close', () => {
      this.cutAfterMs = performance.now() - this.#lastMoved;
    });
  }

  /** Whether an instance let it in, at least once. */
  get wasOpen(): boolean {
    return this.#client.connections > 0;
  }

  get fault(): string | undefined {
    return this.#client.fault;
  }

  /** The longest silence so far, in milliseconds. */
  get longestSilenceMs(): number {
    const now = this.cutAfterMs === undefined ? performance.now() - this.#lastMoved : 0;
    return Math.max(this.#longestSilenceMs, now);
  }

  #moved(): void {
    const now = performance.now();
    this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - this.#lastMoved);
    this.#lastMoved = now;
  }
}

async function watch(context: Context, all: readonly IdleConnection[]): Promise<Proof> {
  await until(() => all.every(({ wasOpen, fault }) => wasOpen || fault !== undefined), context);
  const open = all.filter(({ wasOpen }) => wasOpen);
  const closed = all.filter(({ wasOpen }) => !wasOpen);
  if (open.length === 0)
    throw new NotProvedError(`no connection could be opened: ${closed[0]?.fault ?? 'no response'}`);
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
    fix: 'raise it above 45 s, interval and timeout of the heartbeat (ALB: idle_timeout.timeout_seconds; nginx: proxy_read_timeout; HAProxy: timeout tunnel, timeout server), on every hop; after a restart, run this again',
  };
}

function noHeartbeat(silent: readonly IdleConnection[]) {
  return {
    found: `${list(silent.map(({ what, heartbeats: number }) => `${what} got ${number} of ${heartbeats} heartbeats`))} in time`,
    cause:
      'a hop keeps the connection open and passes nothing on: it buffers responses, or lost its other side',
    fix: 'turn response buffering off at the proxy (nginx: proxy_buffering off)',
  };
}
