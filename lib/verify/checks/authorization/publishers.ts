import { paths } from '../../../../app/names.ts';
import type { Message } from '../../../../app/protocol/hub.ts';
import type { Context } from '../../check.ts';
import type { PlainClient } from '../../clients/plain-client.ts';
import { type HttpResponse, sendWithinLimits } from '../../target/request.ts';
import { until } from '../../wait.ts';
import { count, list } from '../../wording.ts';
import { placeOnEach } from '../connecting/placement.ts';
import { type Findings, failed, joined, notProved, proved } from './findings.ts';
import { rejectionOf } from './rooms.ts';

/** Only backends publish to these hubs; in `llm` the model does, too. */
const feeds = ['llm', 'bots', 'backtests'] as const;

/** Checks that clients can't publish to feeds. */
export async function probeFeeds(context: Context): Promise<Findings> {
  return joined(await Promise.all(feeds.map((hub) => probeFeed(context, hub))));
}

async function probeFeed(context: Context, hub: string): Promise<Findings> {
  const client = context.clients.open('plain', { hub });
  if (!(await client.untilReady(context)))
    return notProved(`that clients publish to no ${hub}: ${client.fault}`);
  const words = await rejectionOf(client.publish(context.clients.newRoom(), 'verify', {}));
  if (words === undefined) return failed({ found: `a client may publish to ${hub}`, ...openFeed });
  if (/: forbidden,/.test(words)) return proved(`${hub} accepts nothing from clients`);
  return notProved(`that clients publish to no ${hub}: ${words}`);
}

/** Checks that HTTP publishes need a service token, and that with one they reach members on every instance. */
export async function probeHttp(context: Context): Promise<Findings> {
  const room = context.clients.newRoom();
  const wrong = await Promise.all([
    publish(context, room, {}),
    publish(context, room, { authorization: 'Bearer verify-is-not-the-service-token-00' }),
  ]);
  const accepted = wrong.filter(({ status }) => status >= 200 && status < 300);
  if (accepted.length > 0)
    return failed({
      found: `HTTP publishes without the service token get ${accepted[0]?.status}`,
      ...openHttp,
    });
  const statuses = [...new Set(wrong.map(({ status }) => status))];
  const { serviceToken } = context.target;
  if (statuses.every((status) => status === 404)) {
    if (serviceToken !== undefined) return failed({ found: `POST ${paths.messages}: 404`, ...notServed });
    return notProved('publishing over HTTP: the service has no service token, and does not serve it (404)');
  }
  if (!statuses.every((status) => status === 401 || status === 403)) {
    return notProved(`that HTTP publishes need the service token: HTTP ${statuses.join(' and ')}`);
  }
  const rejected = proved(`HTTP publishes without the service token get ${statuses.join(' and ')}`);
  if (serviceToken === undefined) {
    return joined([
      rejected,
      notProved('that HTTP publishes reach everyone: no --service-token (or SERVICE_TOKEN)'),
    ]);
  }
  return joined([rejected, await publishRightly(context, serviceToken)]);
}

async function publish(
  { target }: Context,
  room: string,
  headers: Readonly<Record<string, string>>,
  id = 'verify',
): Promise<Pick<HttpResponse, 'status' | 'body'>> {
  const path = paths.messages.replace(':hub', 'bots').replace(':room', encodeURIComponent(room));
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ id, body: { verify: id } }),
  } as const;
  return sendWithinLimits(path, target.url, request).catch((error: Error) => ({
    status: 0,
    body: error.message,
  }));
}

/** Publishes to a feed whose members are on all instances. */
async function publishRightly(context: Context, serviceToken: string): Promise<Findings> {
  const room = context.clients.newRoom();
  const { clients, byInstance } = await placeOnEach(context, 1, 'plain', { hub: 'bots' });
  const delivered = new Map<PlainClient, Message[]>();
  for (const client of clients) {
    const messages: Message[] = [];
    delivered.set(client, messages);
    await client.enter(room, { onMessage: (message) => messages.push(message) });
  }
  const headers = { authorization: `Bearer ${serviceToken}` };
  const responses = [await publish(context, room, headers), await publish(context, room, headers)];
  const bad = responses.find(({ status }) => status !== 201 && status !== 200);
  if (bad)
    return failed({
      found: `HTTP publish with the service token: ${bad.status} ${bad.body.slice(0, 120)}`,
      ...notAccepted,
    });
  const last = await publish(context, room, headers, 'verify-last');
  if (last.status >= 300)
    return failed({ found: `HTTP publish: ${last.status} ${last.body.slice(0, 120)}`, ...notAccepted });
  const has = (client: PlainClient, id: string) =>
    delivered.get(client)?.filter((message) => message.id === id).length ?? 0;
  await until(() => clients.every((client) => has(client, 'verify-last') > 0), {
    ...context,
    timeoutMs: Math.min(context.timeoutMs, 5_000),
  });
  const missing = clients.filter((client) => has(client, 'verify') === 0 || has(client, 'verify-last') === 0);
  if (missing.length > 0) {
    const where = list(missing.map(({ instance }) => instance));
    return failed({
      found: `an HTTP publish got ${responses[0]?.status} and did not reach members on ${where}`,
      ...undelivered,
    });
  }
  const twice = clients.filter((client) => has(client, 'verify') > 1);
  if (twice.length > 0)
    return failed({
      found: 'an HTTP publish that was sent twice with one id was delivered twice',
      ...repeated,
    });
  return proved(`with it they reach members on ${count(byInstance.size, 'instance')}, a repeat once`);
}

const openFeed = {
  cause: 'the hub accepts publishes of clients: it is not defined with `publishers: backends`',
  fix: 'define it by `defineFeed`, so that updates come over HTTP with the service token alone',
};

const openHttp = {
  cause: 'the HTTP API looks at no service token, or a proxy before it adds one',
  fix: 'set SERVICE_TOKEN on every instance, and check it before the body is read',
};

const notServed = {
  cause: 'no instance has SERVICE_TOKEN, so that the HTTP API is closed; or the proxy leaves /api/ out',
  fix: 'set SERVICE_TOKEN on every instance, and let the proxy pass /api/',
};

const notAccepted = {
  cause: 'the service token given here is none of the ones of the service, or instances differ in theirs',
  fix: "give the service's own SERVICE_TOKEN; while one replaces another, set both on every instance",
};

const undelivered = {
  cause: 'HTTP publishes pass by the backplane, or an instance does not follow the room',
  fix: 'let the route publish by `rooms.publish` of its hub; see what the check `delivery` says',
};

const repeated = {
  cause: 'the id of an HTTP publish is not looked up before it is appended',
  fix: 'pass `id` on to `rooms.publish`',
};
