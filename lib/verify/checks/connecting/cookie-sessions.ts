import { paths } from '../../../../app/names.ts';
import { sendRequest, sendWithinLimits } from '../../target/request.ts';
import { type Cookie, readCookie } from './cookies.ts';

/**
 * The number of sessions for each set of cookies, and of requests of each session. No proxy routes all of them right
 * by chance. The sessions ask in step, so an even number of them could meet the same one of two instances in turn.
 */
const sessions = 7;
const requestsEach = 4;

export interface Sessions {
  readonly number: number;
  readonly requests: number;
  /** Requests that reached an instance that does not know their session. */
  readonly unknown: number;
}

const polling = `${paths.socketIo}?EIO=4&transport=polling`;

/** The cookies that a handshake sets. @throws Error with the response if it is no handshake's */
export async function cookiesOfHandshake(url: string): Promise<readonly Cookie[]> {
  return (await handshake(url)).cookies;
}

/**
 * Opens sessions without a client library, and continues each with those cookies of its handshake that `keep` returns.
 * The sessions join nothing: each sends a few packets, and ends.
 */
export async function trySessions(
  url: string,
  keep: (cookies: readonly Cookie[]) => readonly Cookie[],
): Promise<Sessions> {
  const unknown = await Promise.all(Array.from({ length: sessions }, () => tryOne(url, keep)));
  return {
    number: sessions,
    requests: sessions * requestsEach,
    unknown: unknown.reduce((sum, number) => sum + number, 0),
  };
}

async function tryOne(url: string, keep: (cookies: readonly Cookie[]) => readonly Cookie[]): Promise<number> {
  const { sid, cookies } = await handshake(url);
  const jar = keep(cookies).map(({ pair }) => pair);
  const headers = {
    'content-type': 'text/plain;charset=UTF-8',
    ...(jar.length > 0 ? { cookie: jar.join('; ') } : {}),
  };
  let unknown = 0;
  const path = `${polling}&sid=${encodeURIComponent(sid)}`;
  // `6` is Engine.IO's noop, `1` its close.
  for (let i = 0; i < requestsEach; i += 1) {
    const body = i === requestsEach - 1 ? '1' : '6';
    const { status } = await sendRequest(path, url, { method: 'POST', headers, body });
    if (status !== 200) unknown += 1;
  }
  return unknown;
}

async function handshake(url: string): Promise<{ sid: string; cookies: readonly Cookie[] }> {
  const { status, body, setCookies } = await sendWithinLimits(polling, url);
  if (status !== 200 || !body.startsWith('0{'))
    throw new Error(`HTTP ${status} ${body.slice(0, 120)}`.trim());
  const { sid } = JSON.parse(body.slice(1)) as { sid: string };
  return { sid, cookies: setCookies.map(readCookie) };
}
