import { type Check, CheckFailure, type Context, type Fault, unlessSeveral } from '../../check.ts';
import type { Client } from '../../clients/client.ts';
import type { Way } from '../../clients/clients.ts';
import type { PlainClient } from '../../clients/plain-client.ts';
import { type HttpResponse, requestUpgrade } from '../../target/request.ts';
import type { Target } from '../../target/target.ts';
import { until } from '../../wait.ts';
import { count } from '../../wording.ts';
import { failConnections, type Placement, placeOnEach } from './placement.ts';

/** Enough sessions that a proxy without stickiness can't keep all of them by luck. */
const clientsEach = 2;
/** Messages that a client sends to itself, which shows that its session holds. */
const roundTrips = 10;
/** Longest wait for an upgrade, in milliseconds. Socket.IO's client waits no longer either. */
const longestUpgradeMs = 10_000;

export const polling: Check = {
  name: 'polling',
  title: 'Polling sessions with cookies hold, and never get "Session ID unknown"',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const { clients, byInstance } = await placeOnEach(context, clientsEach, 'polling');
    const sessions = count(clients.length, 'polling session');
    const made = await makeRoundTrips(context, clients, sessions, 'polling');
    return {
      proved: `${sessions} on ${count(byInstance.size, 'instance')}, ${made}, 0 unknown sessions`,
      notProved: unlessSeveral(byInstance.size, 'that the requests of a session reach its own instance'),
    };
  },
};

export const websocket: Check = {
  name: 'websocket',
  title: 'WebSocket-only clients work without cookies',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const { clients, byInstance } = await placeOverWebSocket(context);
    const all = count(clients.length, 'client');
    const made = await makeRoundTrips(context, clients, all, 'websocket');
    return { proved: `${all} without cookies on ${count(byInstance.size, 'instance')}, ${made}, 0 broken` };
  },
};

export const websocketUpgrade: Check = {
  name: 'websocket-upgrade',
  title: 'A client that starts by polling goes on by WebSocket',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const { clients, byInstance } = await placeOnEach(context, clientsEach, 'upgrading');
    const timeoutMs = Math.min(context.timeoutMs, longestUpgradeMs);
    await until(() => clients.every(hasTried), { ...context, timeoutMs });
    const staying = clients.filter((client) => !isUpgraded(client));
    if (staying.length > 0) throw new CheckFailure(await explainStaying(context, clients.length, staying));
    const all = count(clients.length, 'client');
    const made = await makeRoundTrips(context, clients, all, 'upgrading');
    return {
      proved: `${clients.length} of ${all} on ${count(byInstance.size, 'instance')} upgraded, ${made} behind that, 0 broken`,
      notProved: unlessSeveral(byInstance.size, 'that an upgrade reaches the instance of its session'),
    };
  },
};

/** If polling works and WebSockets are rejected, the proxy is the one cause, whatever its message. */
async function placeOverWebSocket(context: Context): Promise<Placement<PlainClient>> {
  try {
    return await placeOnEach(context, clientsEach, 'websocket');
  } catch (error) {
    const isRejected = error instanceof CheckFailure && error.fault.found.includes('over WebSocket');
    if (!isRejected || !(await context.clients.open('polling').untilReady(context))) throw error;
    const fault = await explainUpgrade(context.target);
    if (!fault) throw error;
    throw new CheckFailure({ ...fault, found: `${error.fault.found}; polling works; ${fault.found}` });
  }
}

function hasTried(client: PlainClient): boolean {
  return isUpgraded(client) || !client.isReady || client.upgradeFault !== undefined;
}

function isUpgraded({ engine }: PlainClient): boolean {
  return engine.transport.name === 'websocket';
}

async function explainStaying(
  context: Context,
  all: number,
  staying: readonly PlainClient[],
): Promise<Fault> {
  const words = staying.find(({ upgradeFault }) => upgradeFault !== undefined)?.upgradeFault;
  const found = `${staying.length} of ${count(all, 'client')} stayed with polling: ${words ?? 'nothing answered the upgrade'}`;
  const onTheWay = await explainUpgrade(context.target);
  if (onTheWay) return { ...onTheWay, found: `${found}; ${onTheWay.found}` };
  return {
    found: `${found}; a plain upgrade gets through`,
    cause:
      "WebSockets pass, and a session's own does not: its upgrade reaches another instance than its polling did",
    fix: 'let stickiness hold for requests with Upgrade as well: the same cookie, the same rule at every hop',
  };
}

/**
 * Each client sends messages to itself, one after the other.
 *
 * @param all the clients in words
 * @returns how many round trips they made, in words
 * @throws CheckFailure when a session breaks
 */
async function makeRoundTrips(
  context: Context,
  clients: readonly PlainClient[],
  all: string,
  way: Way,
): Promise<string> {
  const echoes = await Promise.all(clients.map((client) => echo(context, client)));
  const faults = echoes.filter((words) => words !== undefined);
  if (faults.length > 0) await failConnections(context, faults, `${faults.length} of ${all}`, way);
  return count(clients.length * roundTrips, 'round trip');
}

/** @returns what broke, in words; undefined if nothing did */
async function echo(context: Context, client: Client): Promise<string | undefined> {
  const room = context.clients.newRoom();
  const received = new Set<string>();
  let rejection: string | undefined;
  sendAll(client, room, (id) => received.add(id)).catch((error: Error) => {
    rejection = error.message;
  });
  const whole = () => received.size === roundTrips;
  await until(() => whole() || !client.isReady || rejection !== undefined, context);
  if (whole()) return undefined;
  if (!client.isReady) return client.fault ?? 'disconnected';
  return rejection ?? `${received.size} of ${roundTrips} messages came back`;
}

async function sendAll(client: Client, room: string, onMessage: (id: string) => void): Promise<void> {
  await client.enter(room, { onMessage: ({ id }) => onMessage(id) });
  for (let i = 0; i < roundTrips; i += 1) await client.publish(room, String(i), i);
}

/** Sends a plain request for a WebSocket, and explains its response. Undefined if it got through. */
async function explainUpgrade({ url, control }: Target): Promise<Fault | undefined> {
  const response = await tryUpgrade(url);
  if (typeof response !== 'string' && response.status === 101) return undefined;
  const said = describe(response);
  const alone = await aloneUpgrades(control);
  const found = `a plain upgrade gets ${said}${alone === undefined ? '' : `; past the proxy ${alone}`}`;
  if (alone?.startsWith('every instance') === false) return { found, ...ofInstances };
  return { found, ...causeOf(response) };
}

async function tryUpgrade(url: string): Promise<HttpResponse | string> {
  return requestUpgrade(url).catch((error: Error) => error.message);
}

function describe(response: HttpResponse | string): string {
  if (typeof response === 'string') return `no response (${response})`;
  return `HTTP/${response.httpVersion} ${response.status} ${response.body.slice(0, 80)}`.trim();
}

/** Undefined if the instances can't be reached directly. */
async function aloneUpgrades(control: Target['control']): Promise<string | undefined> {
  const instances = (await control?.instances())?.filter(({ url }) => url !== undefined) ?? [];
  if (instances.length === 0) return undefined;
  const responses = await Promise.all(
    instances.map(async ({ id, url = '' }) => ({ id, response: await tryUpgrade(url) })),
  );
  const rejected = responses.filter(
    ({ response }) => typeof response === 'string' || response.status !== 101,
  );
  if (rejected.length === 0) return 'every instance upgrades';
  return rejected.map(({ id, response }) => `${id} answers ${describe(response)}`).join(', ');
}

const passOn = 'the proxy does not pass the WebSocket upgrade on';
const forward =
  'let it forward the headers Upgrade and Connection over HTTP/1.1 (in nginx: proxy_http_version 1.1 and both proxy_set_header lines)';

const ofInstances = {
  cause: 'the instances themselves reject WebSockets, whatever the proxy does',
  fix: "look whether the service was started with `transports: ['polling']`, and in its log",
};

function causeOf(response: HttpResponse | string): Omit<Fault, 'found'> {
  if (typeof response === 'string') {
    return {
      cause: `${passOn}: it ends the connection instead, or lets it hang`,
      fix: 'look in its log at this moment for a limit on WebSockets, and for HTTP/2 alone between it and the instances',
    };
  }
  const { status, httpVersion, body } = response;
  if (httpVersion === '1.0')
    return { cause: `${passOn}: it speaks HTTP/1.0, which knows no upgrade`, fix: forward };
  if (status === 400 && /Bad request|Transport unknown/i.test(body)) {
    return { cause: `${passOn}: the instance got a plain GET, so Upgrade was stripped`, fix: forward };
  }
  if (status === 403) {
    return {
      cause: 'a firewall before the instances, or their own look at Origin, rejects WebSockets',
      fix: 'look at the rules of the WAF or the CDN for /socket.io/ with Upgrade, then at CORS_ORIGINS',
    };
  }
  return { cause: passOn, fix: forward };
}
