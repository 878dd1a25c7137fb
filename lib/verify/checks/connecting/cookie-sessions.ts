import { paths } from '../../../../app/names.ts';
import { sendRequest, sendWithinLimits } from '../../target/request.ts';

/** The properties of a cookie by which a browser decides. */
export interface Cookie {
  readonly name: string;
  /** `name=value` */
  readonly pair: string;
  readonly secure: boolean;
  readonly sameSite: 'none' | 'lax' | 'strict' | undefined;
}

/** @param setCookie the value of a `Set-Cookie` header */
export function readCookie(setCookie: string): Cookie {
  const [pair = '', ...attributes] = setCookie.split(';').map((part) => part.trim());
  const values = new Map(
    attributes.map((attribute) => {
      const [key = '', value = ''] = attribute.split('=', 2);
      return [key.toLowerCase(), value.toLowerCase()];
    }),
  );
  const sameSite = values.get('samesite');
  const isKnown = sameSite === 'none' || sameSite === 'lax' || sameSite === 'strict';
  return {
    name: pair.split('=', 1)[0] ?? '',
    pair,
    secure: values.has('secure'),
    sameSite: isKnown ? sameSite : undefined,
  };
}

/** The cookies that a browser sends back to the page's own site. It sends `Secure` ones only over HTTPS. */
export function keptOnOwnSite(cookies: readonly Cookie[], isHttps: boolean): readonly Cookie[] {
  return cookies.filter(({ secure, sameSite }) => {
    if (secure) return isHttps;
    // Chrome, Firefox and Safari drop `SameSite=None` without `Secure`.
    return sameSite !== 'none';
  });
}

/**
 * The cookies that a browser sends from a page on another site. A cookie without `SameSite` is `Lax`, and is not sent.
 */
export function keptAcrossSites(cookies: readonly Cookie[], isHttps: boolean): readonly Cookie[] {
  return cookies.filter(({ secure, sameSite }) => isHttps && secure && sameSite === 'none');
}

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
