import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Operations } from './operations.ts';
import { type RedisOutage, redisOutages } from './redis-fault-injection.ts';
import { isSampleHub, type SampleHub } from './sample-jobs.ts';
import { ControlError, type ControlRoute, respond, runRoute } from './server.ts';

const longestDeregistrationDelayMs = 3_600_000;
const longestRoom = 128;
/** All that a cluster has. */
const mostSlots = 16_384;

/** The operations that the page may call, and whoever has the token. */
export function operationRoutes(operations: Operations): ControlRoute[] {
  return [
    { method: 'POST', path: /^\/instances$/, run: () => operations.addInstance() },
    {
      method: 'POST',
      path: /^\/instances\/([^/]+)\/drain$/,
      run: ([id = ''], query) => operations.removeInstance(id, delayOf(query)),
    },
    {
      method: 'POST',
      path: /^\/instances\/([^/]+)\/kill$/,
      run: ([id = '']) => operations.killInstance(id),
    },
    {
      method: 'POST',
      path: /^\/livekit\/([^/]+)\/kill$/,
      run: ([id = '']) => operations.killLiveKit(id),
    },
    {
      method: 'POST',
      path: /^\/livekit\/([^/]+)\/restart$/,
      run: ([id = '']) => operations.restartLiveKit(id),
    },
    { method: 'POST', path: /^\/restart$/, run: () => operations.restart() },
    {
      method: 'POST',
      path: /^\/redis\/stop$/,
      run: (_groups, query) => operations.stopRedis(outageOf(query)),
    },
    { method: 'POST', path: /^\/redis\/start$/, run: () => operations.startRedis() },
    {
      method: 'POST',
      path: /^\/shards\/(\d{1,2})\/kill$/,
      run: ([shard]) => operations.shards.killPrimary(Number(shard)),
    },
    {
      method: 'POST',
      path: /^\/shards\/(\d{1,2})\/failover$/,
      run: ([shard]) => operations.shards.failOver(Number(shard)),
    },
    {
      method: 'POST',
      path: /^\/shards\/(\d{1,2})\/move$/,
      run: ([shard], query) =>
        operations.shards.moveSlots({
          from: Number(shard),
          to: numberOf(query, 'to', 99),
          count: numberOf(query, 'slots', mostSlots),
        }),
    },
    {
      method: 'POST',
      path: /^\/jobs\/([^/]+)$/,
      run: ([hub = ''], query) => operations.runJob(hubOf(hub), roomOf(query)),
    },
  ];
}

/** Removes an instance after a delay of one's choice; whoever has the token may call it. */
export function removalRoute(operations: Operations): ControlRoute {
  return {
    method: 'DELETE',
    path: /^\/instances\/([^/]+)$/,
    run: ([id = ''], query) => operations.removeInstance(id, delayOf(query)),
  };
}

function delayOf(query: URLSearchParams): number | undefined {
  const text = query.get('delayMs');
  if (text === null) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value <= longestDeregistrationDelayMs) return value;
  throw new ControlError(
    400,
    `delayMs must be a whole number from 0 to ${longestDeregistrationDelayMs}, got: "${text}"`,
  );
}

function numberOf(query: URLSearchParams, name: string, highest: number): number {
  const text = query.get(name) ?? '';
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= highest) return value;
  throw new ControlError(400, `${name} must be a whole number from 1 to ${highest}, got: "${text}"`);
}

function outageOf(query: URLSearchParams): RedisOutage {
  const text = query.get('how') ?? 'stop';
  const outage = redisOutages.find((each) => each === text);
  if (outage) return outage;
  throw new ControlError(400, `how must be one of ${redisOutages.join(', ')}, got: "${text}"`);
}

function hubOf(name: string): SampleHub {
  if (isSampleHub(name)) return name;
  throw new ControlError(404, `there are no sample jobs of "${name}": bots and backtests have some`);
}

function roomOf(query: URLSearchParams): string {
  const room = query.get('room') ?? '';
  if (room.length >= 1 && room.length <= longestRoom) return room;
  throw new ControlError(400, `room must be 1–${longestRoom} characters, got ${room.length}`);
}

const prefix = '/local';

/** The values of `Sec-Fetch-Site`, where a browser sends one, for this page and for the address bar. */
const ownSites: readonly (string | undefined)[] = [undefined, 'same-origin', 'none'];

/**
 * Lets the page that the load balancer serves control the topology, under `/local/`. The page has no token to show.
 * Instead a request must name this machine as its host (a foreign name that leads here is DNS rebinding) and must not
 * come from another site's page.
 */
export class PageRoutes {
  readonly #routes: readonly ControlRoute[];
  readonly #port: () => number;

  /** @param port the load balancer's */
  constructor(routes: readonly ControlRoute[], port: () => number) {
    this.#routes = routes;
    this.#port = port;
  }

  /** @returns whether the request was for one of these routes */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    if (!request.url?.startsWith(`${prefix}/`)) return false;
    request.resume();
    respond(response, this.#handle(request));
    return true;
  }

  async #handle(request: IncomingMessage): Promise<unknown> {
    this.#authorize(request);
    const url = new URL(request.url?.slice(prefix.length) ?? '/', 'http://control');
    return runRoute(this.#routes, request.method, url);
  }

  /** @throws ControlError when the request is not from this machine's own page */
  #authorize({ headers, socket }: IncomingMessage): void {
    const { host = '', origin, 'sec-fetch-site': site } = headers;
    const port = this.#port();
    const hosts = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`];
    if (!isLoopback(socket.remoteAddress)) throw new ControlError(403, 'this machine alone may do that');
    if (!hosts.includes(host.toLowerCase())) {
      throw new ControlError(403, `the host must be one of ${hosts.join(', ')}`);
    }
    const isOwn = origin === undefined || origin === `http://${host.toLowerCase()}`;
    if (!isOwn || !ownSites.includes(site as string | undefined)) {
      throw new ControlError(403, 'pages of other origins may not do that');
    }
  }
}

function isLoopback(address = ''): boolean {
  return /^(::ffff:)?127\./.test(address) || address === '::1';
}
