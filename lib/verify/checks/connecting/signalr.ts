import type { Message, Position } from '../../../../app/protocol/hub.ts';
import {
  type Check,
  CheckFailure,
  type Context,
  type Fault,
  type Proof,
  unlessSeveral,
} from '../../check.ts';
import { buildConnection, type SignalRConnection, signalRWays } from '../../clients/signalr-connection.ts';
import { sendWithinLimits } from '../../target/request.ts';
import { until, within } from '../../wait.ts';
import { count, list } from '../../wording.ts';

const path = '/chathub';
/** Messages of each client. */
const messagesEach = 5;
/** Enough negotiations that a proxy without stickiness can't bring all of their polls to the same instance by luck. */
const negotiations = 12;

/** In milliseconds. */
const longestStopMs = 2_000;

/** What fails by one transport alone: by now, negotiations and polls are known to work. */
const faults = {
  webSocket: {
    cause: 'a proxy does not pass the WebSocket upgrade on to the hub, as polls work there',
    fix: 'let it forward the headers Upgrade and Connection over HTTP/1.1 for all paths (in nginx: proxy_http_version 1.1 and both proxy_set_header lines)',
  },
  eventStream: {
    cause: 'a proxy holds back or ends responses that go on, as polls work there',
    fix: 'switch off its buffering and compression of text/event-stream (in nginx: proxy_buffering off), and raise its timeout of responses',
  },
  polling: {
    cause: 'a proxy does not pass on what clients send, or ends polls that wait, as the first polls work',
    fix: 'let it pass POST and DELETE as they are, and let a response take 100 s',
  },
} as const;

const ways = [
  { ...signalRWays.webSockets, fault: faults.webSocket },
  { ...signalRWays.binaryWebSockets, fault: faults.webSocket },
  { ...signalRWays.eventStream, fault: faults.eventStream },
  { ...signalRWays.polling, fault: faults.polling },
  { ...signalRWays.binaryPolling, fault: faults.polling },
] as const;
type Way = (typeof ways)[number];

/** Microsoft's client, as it is, in one room by every transport and encoding. */
export const signalr: Check = {
  name: 'signalr',
  title: "SignalR's clients negotiate with one instance and connect to another",
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    await requirePath(context);
    const instances = new Set<string>();
    const found = await negotiateAndPoll(context);
    const exchanged = await exchange(context, instances);
    return {
      proved: `${found}; ${exchanged} on ${count(instances.size, 'instance')}`,
      notProved: unlessSeveral(
        instances.size,
        'that a negotiation reaches another instance than its connection',
      ),
    } satisfies Proof;
  },
};

/** @throws CheckFailure where nothing is served at the hub's path, whatever Socket.IO's clients find */
async function requirePath({ target }: Context): Promise<void> {
  const { status } = await sendWithinLimits(`${path}/negotiate`, target.url, { method: 'POST' });
  if (status !== 404 && status !== 405) return;
  throw new CheckFailure({
    found: `POST ${path}/negotiate gets HTTP ${status}: nothing is served there`,
    cause:
      "a proxy passes only some paths on, such as /socket.io/, or answers others itself; or the service is of a version without SignalR's hubs",
    fix: 'let the proxy pass all paths and methods on to the service (in nginx: `location /`), and deploy this version',
  });
}

/** By hand, without cookies: each request may reach any instance. @returns what it proved */
async function negotiateAndPoll(context: Context): Promise<string> {
  const { target, tokens } = context;
  const token = await tokens.of(tokens.nextUser());
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const statuses: number[] = [];
  for (let number = 0; number < negotiations; number += 1) {
    const negotiated = await sendWithinLimits(`${path}/negotiate?negotiateVersion=1`, target.url, {
      method: 'POST',
      headers,
    });
    if (negotiated.status !== 200)
      throw new CheckFailure({
        found: `a negotiation got HTTP ${negotiated.status} ${negotiated.body.slice(0, 80)}`.trim(),
        ...notNegotiated,
      });
    const { connectionToken } = JSON.parse(negotiated.body) as { connectionToken: string };
    const polled = await sendWithinLimits(`${path}?id=${connectionToken}`, target.url, { headers });
    statuses.push(polled.status);
  }
  const astray = statuses.filter((status) => status !== 200).length;
  if (astray === 0) return `${negotiations} negotiations without cookies, 0 connections unknown`;
  throw new CheckFailure({
    found: `${astray} of ${negotiations} connections that were negotiated without cookies are unknown where their poll arrived (${list([...new Set(statuses)].map((status) => `HTTP ${status}`))})`,
    ...unknownConnection,
  });
}

type Explanation = Omit<Fault, 'found'>;

const notNegotiated: Explanation = {
  cause: 'a proxy or a firewall answers negotiations itself, or an instance does not take them',
  fix: "look in the proxy's log for POST requests, then in the instances' logs for refused clients",
};

const unknownConnection: Explanation = {
  cause:
    '"No Connection with that ID": the instances can not relay to each other, or a proxy drops the query of requests',
  fix: 'let the instances reach each other (RELAY_PORT, RELAY_HOST; one Redis for all), and let the proxy pass paths, queries, POST and DELETE as they are',
};

const notDelivered: Explanation = {
  cause:
    "messages do not reach SignalR's clients as they are published: if `delivery` fails too, it names what lies between the instances; else a proxy holds back what is sent",
  fix: 'first what `delivery` says; then switch off buffering and caching in the proxy (in nginx: proxy_buffering off)',
};

interface Member extends SignalRConnection {
  readonly way: Way;
  readonly heard: Message[];
  /** What came by a stream. */
  readonly followed: Message[];
}

/** One client of each way in one room: each hears all. @returns what it proved */
async function exchange(context: Context, instances: Set<string>): Promise<string> {
  const room = context.clients.newRoom();
  const members: Member[] = [];
  try {
    for (const way of ways) {
      const { connection, stop } = await build(context, way);
      const heard: Message[] = [];
      connection.on('message', (message: Message) => void heard.push(message));
      connection.on('welcome', ({ instance }: { instance: string }) => void instances.add(instance));
      const followed: Message[] = [];
      members.push({ way, connection, stop, heard, followed });
      await attempt(way, context, connection.start());
      const { epoch, offset } = await attempt(way, context, connection.invoke<Position>('Join', room));
      connection.stream<Message>('Follow', room, { epoch, offset }).subscribe({
        next: (message) => void followed.push(message),
        complete: () => undefined,
        // What it lacks then is found below.
        error: () => undefined,
      });
    }
    for (let number = 0; number < messagesEach; number += 1) {
      for (const { way, connection } of members) {
        await attempt(way, context, connection.invoke<Position>('Publish', room, number));
      }
    }
    const expected = messagesEach * members.length;
    await until(
      () => members.every((each) => each.heard.length >= expected && each.followed.length >= expected),
      context,
    );
    const broken = members.filter(
      (each) => !isInOrder(each.heard, expected) || !isInOrder(each.followed, expected),
    );
    if (broken.length === 0) {
      const all = expected * members.length;
      return `${members.length} clients by ${list(ways.map(({ name }) => name))}: ${all} of ${all} deliveries in order, and as many by streams`;
    }
    throw new CheckFailure({
      found: `of ${expected} messages ${list(broken.map(({ way, heard, followed }) => `${way.name} delivered ${heard.length}, and ${followed.length} by a stream, or not in order`))}`,
      ...notDelivered,
    });
  } finally {
    // What a server or a proxy does not answer takes no longer.
    const stopping = members.map(({ stop }) => within(stop(), longestStopMs, 'it did not stop'));
    await Promise.allSettled(stopping);
  }
}

async function build({ target, tokens }: Context, way: Way): Promise<SignalRConnection> {
  return buildConnection(target.url + path, way, { token: await tokens.of(tokens.nextUser()) });
}

async function attempt<T>({ name, fault }: Way, { timeoutMs }: Context, work: Promise<T>): Promise<T> {
  try {
    return await within(work, timeoutMs, `nothing came within ${timeoutMs / 1_000} s`);
  } catch (error) {
    throw new CheckFailure({ found: `by ${name}: ${(error as Error).message}`, ...fault });
  }
}

function isInOrder(heard: readonly Message[], expected: number): boolean {
  return (
    heard.length === expected &&
    heard.every(({ offset }, index) => offset === (heard[0]?.offset ?? 0) + index)
  );
}
