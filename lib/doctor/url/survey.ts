import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../../app/names.ts';
import { guestToken } from '../../verify/clients/tokens.ts';
import { readinessIn } from '../../verify/target/readiness.ts';
import { adviseOn, describeError, type HttpResponse, sendRequest } from '../../verify/target/request.ts';
import { list } from '../../verify/wording.ts';
import { passed } from '../finding.ts';
import { failed, type NamedFinding } from './check.ts';
import { closePolling, openPolling } from './protocols/engine-io.ts';
import { patienceMs, RefusedError } from './protocols/session.ts';
import { negotiate } from './protocols/signalr.ts';
import type { Endpoint, Protocol, Subject } from './subject.ts';

/** What is to be found out about. */
export type Question = Omit<Subject, 'isOurs' | 'endpoints' | 'token'> & {
  /** What the server is said to be. @default this project's service is looked for, then both */
  readonly plain?: Protocol;
  /** Where it is said to be served. @default where servers usually are */
  readonly path?: string;
  readonly token?: string;
};

export interface Survey {
  readonly findings: readonly NamedFinding[];
  readonly isOurs: boolean;
  /** Undefined if there is nothing to look at closer. */
  readonly subject?: Subject;
}

/** Where hubs usually are. */
const hubPaths = [
  '/chathub',
  '/llmhub',
  '/hub',
  '/hubs',
  '/hubs/chat',
  '/chat',
  '/signalr',
  '/notificationhub',
];
const ownEndpoints: readonly Endpoint[] = [
  { protocol: 'socketio', path: paths.socketIo },
  { protocol: 'signalr', path: '/chathub' },
];

/** Finds out what answers at the address, and where it is served. */
export async function survey(question: Question): Promise<Survey> {
  const { url, plain } = question;
  let ready: HttpResponse;
  try {
    ready = await untilReady(url);
  } catch (error) {
    return { findings: [unreachable(url, error as Error)], isOurs: false };
  }
  const findings: NamedFinding[] = [{ name: 'address', ...passed(`${url} answers${serverIn(ready)}`) }];
  const readiness = plain === undefined ? readinessIn(ready) : undefined;
  if (readiness === undefined) return surveyOther(question, findings);
  if (ready.status === 503) return { findings: [...findings, notReady(readiness)], isOurs: true };
  findings.push({
    name: 'server',
    ...passed('this project’s service; `npm run verify` proves its delivery, too'),
  });
  const token = question.token ?? (await guestToken(url).catch(() => undefined));
  return {
    findings,
    isOurs: true,
    subject: {
      namespace: '/chat',
      ...question,
      ...(token === undefined ? {} : { token }),
      isOurs: true,
      endpoints: ownEndpoints,
    },
  };
}

/** An instance that starts joins its backplane within a moment. */
async function untilReady(url: string): Promise<HttpResponse> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const response = await sendRequest(paths.ready, url, { timeoutMs: patienceMs });
    const isStarting = response.status === 503 && readinessIn(response) === 'starting';
    if (!isStarting || performance.now() > deadline) return response;
    await delay(250);
  }
}

function serverIn({ headers: { server, via, 'x-powered-by': powered } }: HttpResponse): string {
  const names = [server, via, powered]
    .filter((name) => typeof name === 'string')
    .map((name) => name.slice(0, 60));
  return names.length > 0 ? ` (${list(names)})` : '';
}

function unreachable(url: string, error: Error): NamedFinding {
  const { code = '' } = error as NodeJS.ErrnoException;
  const isCertificate = /CERT|SIGNED|ALTNAME|ISSUER/.test(code);
  const found = `${url} can't be reached: ${describeError(error)}`;
  if (isCertificate) return { name: 'address', ...failed({ found, ...distrusted }) };
  return {
    name: 'address',
    ...failed({
      found,
      cause:
        'nothing takes requests there: the name, the port, the scheme or a firewall is wrong, or nothing runs',
      fix: adviseOn(error, url),
    }),
  };
}

const distrusted = {
  cause:
    'its certificate is not trusted: it has ended, is of another name, or an intermediate one is not sent along; browsers refuse the connection, and clients say no more than "websocket error"',
  fix: 'serve the full chain of a certificate for this name; for an authority of your own, name it in NODE_EXTRA_CA_CERTS here and install it at the clients',
};

function notReady(readiness: string): NamedFinding {
  const isStarting = readiness === 'starting';
  return {
    name: 'server',
    ...failed({
      found: `this project's service takes no clients: /health/ready says ${readiness}`,
      cause: isStarting
        ? 'it has not reached its Redis: a wrong name, password or TLS'
        : 'the instance that answers is leaving',
      fix: isStarting
        ? 'its log has the cause (WRONGPASS, NOAUTH, ENOTFOUND …): correct REDIS_URL. Named in REDIS_URL here, the doctor tries it; REDIS_URL=none lets one instance serve alone'
        : 'start another one, or wait for its successor',
    }),
  };
}

async function surveyOther(question: Question, findings: readonly NamedFinding[]): Promise<Survey> {
  const { plain, path } = question;
  const candidates: Endpoint[] = [];
  if (plain !== 'signalr') candidates.push({ protocol: 'socketio', path: withSlash(path ?? paths.socketIo) });
  if (plain !== 'socketio')
    candidates.push(
      ...(path ? [path] : hubPaths).map((each) => ({ protocol: 'signalr' as const, path: each })),
    );
  const subject: Subject = { ...question, isOurs: false, endpoints: [] };
  const replies = await Promise.all(
    candidates.map(async (endpoint) => ({ endpoint, refusal: await probe(subject, endpoint) })),
  );
  const endpoints = replies.filter(({ refusal }) => refusal === undefined).map(({ endpoint }) => endpoint);
  if (endpoints.length === 0) return { findings: [...findings, explainNone(replies)], isOurs: false };
  const what = endpoints.map(
    ({ protocol, path: at }) =>
      `${protocol === 'socketio' ? 'a Socket.IO server' : 'a SignalR hub'} at ${at}`,
  );
  return {
    findings: [...findings, { name: 'server', ...passed(list(what)) }],
    isOurs: false,
    subject: { ...subject, endpoints },
  };
}

/** Engine.IO's path ends with it, whether or not it was typed. */
const withSlash = (path: string) => (path.endsWith('/') ? path : `${path}/`);

interface Reply {
  readonly endpoint: Endpoint;
  /** Undefined if the endpoint serves. */
  readonly refusal: HttpResponse | Error | undefined;
}

async function probe(subject: Subject, { protocol, path }: Endpoint): Promise<Reply['refusal']> {
  try {
    if (protocol === 'signalr') await negotiate(subject, path);
    else await closePolling(subject, path, await openPolling(subject, path));
    return undefined;
  } catch (error) {
    if (!(error instanceof RefusedError)) return error as Error;
    return isWithoutPolling(error.response) ? undefined : error.response;
  }
}

/** Engine.IO that serves WebSockets alone. */
const isWithoutPolling = ({ status, body }: HttpResponse) => status === 400 && /Transport unknown/.test(body);

/** The reply that says most: whoever refuses is there; 404 says the least. */
function explainNone(replies: readonly Reply[]): NamedFinding {
  const responses = replies.flatMap(({ endpoint, refusal }) =>
    refusal && !(refusal instanceof Error) ? [{ endpoint, response: refusal }] : [],
  );
  const telling = responses.find(({ response }) => ![404, 405].includes(response.status)) ?? responses[0];
  const tried = list(replies.map(({ endpoint }) => endpoint.path).slice(0, 10));
  if (!telling) {
    const [first] = replies;
    const words = first?.refusal instanceof Error ? describeError(first.refusal) : 'no response';
    return { name: 'server', ...failed({ found: `${tried}: ${words}`, ...hangs }) };
  }
  const { endpoint, response } = telling;
  return { name: 'server', ...failed({ found: foundIn(endpoint, response, tried), ...explain(response) }) };
}

function foundIn({ path }: Endpoint, { status, body }: HttpResponse, tried: string): string {
  if (status === 404 || status === 405) return `HTTP ${status} at ${tried}`;
  return `${path} gets HTTP ${status} ${body.replace(/\s+/g, ' ').slice(0, 100)}`.trim();
}

const hangs = {
  cause:
    'the proxy answers, and what should serve clients does not: it hangs, or a firewall drops its packets',
  fix: 'ask the instance alone, past the proxy; look in its log',
};

function explain({ status, body, headers }: HttpResponse): { cause: string; fix: string } {
  if (/^\d+:0\{/.test(body))
    return {
      cause: 'Socket.IO 2 answers, which clients of Socket.IO 3 and 4 can not talk to',
      fix: 'upgrade the server to 4, with `allowEIO3: true` while clients of 2 are left',
    };
  if (/Unsupported protocol version/i.test(body))
    return {
      cause: 'the server speaks another version of Engine.IO than 4',
      fix: 'use the client of its version, or `allowEIO3` at the server',
    };
  if (status >= 300 && status < 400)
    return {
      cause: 'requests are redirected, and clients follow no redirection with a POST or an upgrade',
      fix: `give clients the address itself${headers.location ? `: ${originOf(headers.location)}` : ''}`,
    };
  if (status === 401 || status === 403)
    return {
      cause: 'a token is needed, or it is rejected; or a login or a firewall stands in front',
      fix: 'give --token, one that the server accepts; without a login before it, look at the firewall',
    };
  if ([502, 503, 504].includes(status))
    return {
      cause: 'the proxy reaches no instance: none runs, none is ready, or it asks the wrong port',
      fix: "look whether instances run and are healthy, and at the port that the proxy forwards to (CapRover: “Container HTTP Port”); the proxy's log names the target",
    };
  if (status >= 500) return { cause: 'the server itself fails', fix: 'its log at this moment says why' };
  if (status === 404 || status === 405)
    return {
      cause:
        'nothing is served at this path: another path, another application, or a proxy that passes only some paths on',
      fix: 'give the path that clients use: --path /my-hub, with --plain socketio or signalr; let the proxy pass all paths on',
    };
  return {
    cause: 'what answers is neither a Socket.IO server nor a SignalR hub',
    fix: 'give the address and the path that clients use: --url and --path, with --plain socketio or signalr',
  };
}

/** Without what follows, which may be a ticket. */
const originOf = (location: string) =>
  URL.canParse(location) ? new URL(location).origin : location.split('?')[0];
