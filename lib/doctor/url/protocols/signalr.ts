import { readCookie } from '../../../verify/checks/connecting/cookie-sessions.ts';
import { sendRequest, sendWithinLimits } from '../../../verify/target/request.ts';
import { type Opened, openWebSocket } from '../probe-socket.ts';
import type { Subject } from '../subject.ts';
import { type Attempt, patienceMs, RefusedError, type Relation } from './session.ts';

const separator = '\u001e';
/** What each client says first, whatever the transport. */
export const handshakeRecord = `{"protocol":"json","version":1}${separator}`;
const pingRecord = `{"type":6}${separator}`;

export interface Negotiation {
  /** Leads to the connection: `connectionToken`, or in version 0 the id. */
  readonly id: string;
  readonly transports: readonly string[];
  /** Where clients are sent instead, as Azure SignalR Service has it. */
  readonly elsewhere?: string;
  readonly cookies: ReturnType<typeof readCookie>[];
}

export function authorization({ token }: Subject): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** @throws RefusedError */
export async function negotiate(subject: Subject, path: string): Promise<Negotiation> {
  const response = await sendWithinLimits(`${path}/negotiate?negotiateVersion=1`, subject.url, {
    method: 'POST',
    headers: authorization(subject),
    timeoutMs: patienceMs,
  });
  const parsed = response.status === 200 ? jsonIn(response.body) : undefined;
  const { connectionToken, connectionId, url, availableTransports = [] } = parsed ?? {};
  const id = connectionToken ?? connectionId;
  if (typeof id !== 'string' && typeof url !== 'string') throw new RefusedError(response);
  return {
    id: id ?? '',
    transports: availableTransports.map(({ transport = '' }) => transport),
    ...(url === undefined ? {} : { elsewhere: url }),
    cookies: response.setCookies.map(readCookie),
  };
}

interface NegotiationBody {
  readonly connectionToken?: string;
  readonly connectionId?: string;
  readonly url?: string;
  readonly availableTransports?: readonly { readonly transport?: string }[];
}

function jsonIn(text: string): NegotiationBody | undefined {
  try {
    return JSON.parse(text) as NegotiationBody;
  } catch {
    return undefined;
  }
}

/** One connection by long polling, each request on a connection of its own. @throws RefusedError */
export async function trySession(subject: Subject, path: string, relation: Relation): Promise<Attempt> {
  const { id, cookies, transports } = await negotiate(subject, path);
  const headers = { ...authorization(subject), ...relation.headersOf(cookies) };
  if (!transports.includes('LongPolling')) return trySocket(subject, path, { id, cookies, headers });
  const target = `${path}?id=${encodeURIComponent(id)}`;
  const send = async (method: 'GET' | 'POST' | 'DELETE', body?: string) => {
    const options = { method, headers, timeoutMs: patienceMs, ...(body === undefined ? {} : { body }) };
    const response = await sendRequest(target, subject.url, options);
    const isAccepted = response.status >= 200 && response.status < 300;
    return isAccepted ? '' : `HTTP ${response.status} ${response.body.slice(0, 80)}`.trim();
  };
  // The first poll is answered at once; one that waits for nothing would take its time.
  const answers: string[] = [];
  // Two instances that take turns may miss each other once and once again.
  for (let left = 3; left > 0 && answers.at(-1) !== ''; left -= 1) answers.push(await send('GET'));
  answers.push(await send('POST', handshakeRecord));
  for (let left = 2; left > 0; left -= 1) answers.push(await send('POST', pingRecord));
  // What it left open would wait for its client. Behind a proxy without stickiness only one of two arrives.
  for (let left = 2; left > 0; left -= 1) await send('DELETE');
  return { cookies, answers };
}

/** Where long polling is switched off, a WebSocket shows whether an instance knows the connection. */
async function trySocket(
  subject: Subject,
  path: string,
  { id, cookies, headers }: { id: string; cookies: Negotiation['cookies']; headers: Record<string, string> },
): Promise<Attempt> {
  const opened = await openHubSocket(subject, path, headers, id);
  if ('socket' in opened) opened.socket.close();
  return { cookies, answers: ['refusal' in opened ? opened.refusal.words : ''] };
}

/** @param id of a negotiated connection; without it, the negotiation is skipped */
export function openHubSocket(
  subject: Subject,
  path: string,
  headers: Readonly<Record<string, string>> = authorization(subject),
  id?: string,
): Promise<Opened> {
  const query = id === undefined ? '' : `?id=${encodeURIComponent(id)}`;
  return openWebSocket(subject.url + path + query, headers, patienceMs);
}

/** `{}` and its separator: the hub took the handshake. */
export const isWelcome = (text: string): boolean => text.replaceAll(' ', '').startsWith(`{}${separator}`);
export const isHeartbeat = (text: string): boolean => text.includes('{"type":6}');
export const invocation = (target: string, values: readonly unknown[]): string =>
  JSON.stringify({ type: 1, target, arguments: values }) + separator;
export const isInvocation = (text: string): boolean =>
  text.includes('"type":1,') || text.includes('"type":1}');
