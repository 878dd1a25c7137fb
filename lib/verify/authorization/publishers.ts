import { paths } from '../../../app/names.ts';
import type { Message } from '../../../app/protocol/hub.ts';
import { type Answer, ask } from '../ask.ts';
import type { Context } from '../check.ts';
import { placeOnEach } from '../placement.ts';
import type { PlainClient } from '../plain-client.ts';
import { until } from '../wait.ts';
import { count, list } from '../words.ts';
import { failed, joined, notProved, type Part, proved } from './part.ts';
import { refusalOf } from './rooms.ts';

/** Only backends publish to these, and in `llm` the model. */
const feeds = ['llm', 'bots', 'backtests'] as const;

/** Clients publish to no feed. */
export async function tryFeeds(context: Context): Promise<Part> {
  return joined(await Promise.all(feeds.map((hub) => tryFeed(context, hub))));
}

async function tryFeed(context: Context, hub: string): Promise<Part> {
  const client = context.clients.open('plain', { hub });
  if (!(await client.ready(context))) return notProved(`that clients publish to no ${hub}: ${client.fault}`);
  const words = await refusalOf(client.publish(context.clients.newRoom(), 'verify', {}));
  if (words === undefined) return failed({ found: `a client may publish to ${hub}`, ...openFeed });
  if (/: forbidden,/.test(words)) return proved(`${hub} takes nothing from clients`);
  return notProved(`that clients publish to no ${hub}: ${words}`);
}

/** Who has no service token publishes nothing over HTTP; who has one reaches members on every instance. */
export async function tryHttp(context: Context): Promise<Part> {
  const room = context.clients.newRoom();
  const wrong = await Promise.all([
    publish(context, room, {}),
    publish(context, room, { authorization: 'Bearer verify-is-not-the-service-token-00' }),
  ]);
  const taken = wrong.filter(({ status }) => status >= 200 && status < 300);
  if (taken.length > 0)
    return failed({ found: `HTTP publishes without the service token get ${taken[0]?.status}`, ...openHttp });
  const statuses = [...new Set(wrong.map(({ status }) => status))];
  const { serviceToken } = context.target;
  if (statuses.every((status) => status === 404)) {
    if (serviceToken !== undefined) return failed({ found: `POST ${paths.messages}: 404`, ...notServed });
    return notProved('publishing over HTTP: the service has no service token, and does not serve it (404)');
  }
  if (!statuses.every((status) => status === 401 || status === 403)) {
    return notProved(`that HTTP publishes need the service token: HTTP ${statuses.join(' and ')}`);
  }
  const refused = proved(`HTTP publishes without the service token get ${statuses.join(' and ')}`);
  if (serviceToken === undefined) {
    return joined([
      refused,
      notProved('that HTTP publishes reach everyone: no --service-token (or SERVICE_TOKEN)'),
    ]);
  }
  return joined([refused, await publishRightly(context, serviceToken)]);
}

async function publish(
  { target }: Context,
  room: string,
  headers: Readonly<Record<string, string>>,
  id = 'verify',
): Promise<Pick<Answer, 'status' | 'body'>> {
  const path = paths.messages.replace(':hub', 'bots').replace(':room', encodeURIComponent(room));
  const question = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ id, body: { verify: id } }),
  } as const;
  return ask(path, target.url, question).catch((error: Error) => ({ status: 0, body: error.message }));
}

/** To the feed that is there for it: its members are on all instances. */
async function publishRightly(context: Context, serviceToken: string): Promise<Part> {
  const room = context.clients.newRoom();
  const { clients, byInstance } = await placeOnEach(context, 1, 'plain', { hub: 'bots' });
  const heard = new Map<PlainClient, Message[]>();
  for (const client of clients) {
    const messages: Message[] = [];
    heard.set(client, messages);
    await client.enter(room, { onMessage: (message) => messages.push(message) });
  }
  const headers = { authorization: `Bearer ${serviceToken}` };
  const answers = [await publish(context, room, headers), await publish(context, room, headers)];
  const bad = answers.find(({ status }) => status !== 201 && status !== 200);
  if (bad)
    return failed({
      found: `HTTP publish with the service token: ${bad.status} ${bad.body.slice(0, 120)}`,
      ...notTaken,
    });
  const last = await publish(context, room, headers, 'verify-last');
  if (last.status >= 300)
    return failed({ found: `HTTP publish: ${last.status} ${last.body.slice(0, 120)}`, ...notTaken });
  const has = (client: PlainClient, id: string) =>
    heard.get(client)?.filter((message) => message.id === id).length ?? 0;
  await until(() => clients.every((client) => has(client, 'verify-last') > 0), {
    ...context,
    timeoutMs: Math.min(context.timeoutMs, 5_000),
  });
  const missing = clients.filter((client) => has(client, 'verify') === 0 || has(client, 'verify-last') === 0);
  if (missing.length > 0) {
    const where = list(missing.map(({ instance }) => instance));
    return failed({
      found: `an HTTP publish was answered ${answers[0]?.status} and did not reach members on ${where}`,
      ...undelivered,
    });
  }
  const twice = clients.filter((client) => has(client, 'verify') > 1);
  if (twice.length > 0)
    return failed({ found: 'an HTTP publish that was sent twice with one id was heard twice', ...repeated });
  return proved(`with it they reach members on ${count(byInstance.size, 'instance')}, a repeat once`);
}

const openFeed = {
  cause: 'the hub takes publishes of clients: it is not defined with `publishers: backends`',
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

const notTaken = {
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
