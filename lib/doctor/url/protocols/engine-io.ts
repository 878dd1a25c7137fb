import { type Cookie, readCookie } from '../../../verify/checks/connecting/cookie-sessions.ts';
import { type HttpResponse, sendRequest, sendWithinLimits } from '../../../verify/target/request.ts';
import { type Opened, openWebSocket } from '../probe-socket.ts';
import type { Subject } from '../subject.ts';
import { type Attempt, cookieHeader, patienceMs, RefusedError, type Relation } from './session.ts';

/** Packets of Engine.IO 4, in its text form. */
const packets = { close: '1', pong: '3', probe: '2probe' } as const;
const withPackets = { 'content-type': 'text/plain;charset=UTF-8' };

/** What opens a session of Socket.IO. */
export interface Handshake {
  readonly sid: string;
  readonly upgrades: readonly string[];
  readonly pingIntervalMs: number;
  readonly cookies: readonly Cookie[];
}

const pollingPath = (path: string) => `${path}?EIO=4&transport=polling`;

/** @throws RefusedError with what came instead of a handshake */
export async function openPolling({ url }: Subject, path: string): Promise<Handshake> {
  return readHandshake(await sendWithinLimits(pollingPath(path), url, { timeoutMs: patienceMs }));
}

/** @throws RefusedError */
export function readHandshake(response: HttpResponse): Handshake {
  if (response.status !== 200 || !response.body.startsWith('0{')) throw new RefusedError(response);
  const { sid, upgrades = [], pingInterval = 0 } = JSON.parse(response.body.slice(1));
  return { sid, upgrades, pingIntervalMs: pingInterval, cookies: response.setCookies.map(readCookie) };
}

/** What was opened would wait for its client. Behind a proxy without stickiness the first try may not arrive. */
export async function closePolling(
  { url }: Subject,
  path: string,
  { sid, cookies }: Pick<Handshake, 'sid' | 'cookies'>,
): Promise<void> {
  const headers = { ...withPackets, ...cookieHeader(cookies) };
  const target = `${pollingPath(path)}&sid=${encodeURIComponent(sid)}`;
  for (let left = 2; left > 0; left -= 1) {
    const options = { method: 'POST', headers, body: packets.close, timeoutMs: patienceMs } as const;
    const closed = await sendRequest(target, url, options).catch(() => undefined);
    if (closed?.status === 200) return;
  }
}

/** One session by polling, each request on a connection of its own. @throws RefusedError */
export async function trySession(subject: Subject, path: string, relation: Relation): Promise<Attempt> {
  const { sid, cookies } = await openPolling(subject, path);
  const headers = { ...withPackets, ...relation.headersOf(cookies) };
  const statuses: string[] = [];
  for (const body of [connectPacket(subject), packets.pong, packets.pong, packets.close]) {
    const target = `${pollingPath(path)}&sid=${encodeURIComponent(sid)}`;
    const { status, body: words } = await sendWithinLimits(target, subject.url, {
      method: 'POST',
      headers,
      body,
      timeoutMs: patienceMs,
    });
    statuses.push(status === 200 ? '' : `HTTP ${status} ${words.slice(0, 80)}`.trim());
  }
  if (statuses.at(-1) !== '') await closePolling(subject, path, { sid, cookies });
  return { cookies, answers: statuses };
}

/** Asks to be let into the namespace: a server ends connections that are in none. */
export function connectPacket(subject: Subject): string {
  const { token } = subject;
  return `40${namespacePrefix(subject)}${token === undefined ? '' : JSON.stringify({ token })}`;
}

export function eventPacket(subject: Subject, event: string, values: readonly unknown[]): string {
  return `42${namespacePrefix(subject)}${JSON.stringify([event, ...values])}`;
}

/** The main one is not named. */
function namespacePrefix({ namespace = '/' }: Subject): string {
  return namespace === '/' ? '' : `${namespace},`;
}

/** @param session continues that one, by an upgrade; else a session of its own is opened */
export function openEngineSocket(
  { url }: Subject,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  session?: string,
): Promise<Opened> {
  const sid = session === undefined ? '' : `&sid=${encodeURIComponent(session)}`;
  return openWebSocket(`${url}${path}?EIO=4&transport=websocket${sid}`, headers, patienceMs);
}

export const isHeartbeat = (text: string): boolean => text === '2';
export const isOpening = (text: string): boolean => text.startsWith('0{');
export const probePacket = packets.probe;
export const isProbed = (text: string): boolean => text === '3probe';
