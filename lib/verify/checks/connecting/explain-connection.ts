import { paths } from '../../../../app/names.ts';
import type { Fault } from '../../check.ts';
import { sendRequest } from '../../target/request.ts';
import { list } from '../../wording.ts';
import { readCookie } from './cookie-sessions.ts';

export const isUnknownSession = (words: string): boolean => words.includes('Session ID unknown');

/** Explains why clients could not connect. */
export async function explainConnection(url: string, found: string, words: string): Promise<Fault> {
  if (isUnknownSession(words)) return { found, ...(await explainUnknownSession(url)) };
  const known = connectionFaults.find(({ sign }) => sign.test(words));
  return { found, cause: known?.cause ?? unknownCause, fix: known?.fix ?? unknownFix };
}

const connectionFaults: readonly { sign: RegExp; cause: string; fix: string }[] = [
  {
    sign: /\b429\b|Too Many Requests|rate_limited/,
    cause:
      'the service limits how often one address may connect or ask for a token, and this run has reached it',
    fix: 'wait a minute, give fewer --clients; behind proxies set TRUSTED_PROXY_HOPS, else all clients share one address',
  },
  {
    sign: /no token/,
    cause: 'an instance wants a token where others want none: AUTH differs between them',
    fix: 'start every instance with the same AUTH, AUTH_SECRET and AUTH_JWKS_URL',
  },
  {
    sign: /signature does not hold|can't be verified|not signed with HS256|another (issuer|audience)/,
    cause:
      'an instance rejects a token that another one accepts: AUTH_SECRET or AUTH_JWKS_URL differs between them',
    fix: 'start every instance with the same secret; while one replaces the other, with both: AUTH_SECRET=new,old',
  },
  {
    sign: /token has expired/,
    cause: "the token ended during the run, or an instance's clock is ahead",
    fix: 'give a token that lives longer; look at the time on the instances',
  },
  {
    sign: /token was revoked|banned/,
    cause: 'the token, or its user, was banned from the service',
    fix: 'give the token of another user',
  },
  {
    sign: /keys can't be fetched/,
    cause: 'an instance does not reach the address of AUTH_JWKS_URL',
    fix: "look for the way out of its network, and for the identity provider's answer, in the instance's log",
  },
  {
    sign: /\b50[0234]\b/,
    cause:
      'the proxy has no instance that takes requests: none is registered, or none is ready; or what answers fails',
    fix: `ask each instance for ${paths.ready}; 503 there means starting (Redis not reached yet) or draining`,
  },
  {
    sign: /the instance is (starting|draining)/,
    cause: 'the proxy sends clients to an instance that is not ready',
    fix: `point the proxy's health check at ${paths.ready}, which answers 503 until the instance is ready`,
  },
  {
    sign: /\b404\b/,
    cause: `nothing serves ${paths.socketIo} at this URL: another service, or a proxy rule that leaves this path out`,
    fix: `give the URL that clients connect to, and let the proxy pass ${paths.socketIo}`,
  },
  {
    sign: /: (unavailable|refused|uncertain),|came back/,
    cause:
      'sessions hold and messages do not come through: an instance has lost its backplane, or Redis hangs',
    fix: 'look whether Redis answers PING in time; the instances join it again by themselves',
  },
  {
    sign: /Invalid namespace/,
    cause: 'a Socket.IO server without the hub /chat answers here',
    fix: 'give the URL of the service in app/',
  },
  {
    sign: /transport (close|error)|server disconnect|ping timeout/,
    cause:
      'connections that were open ended: an instance was restarted, a deploy replaced it, or a hop cut them',
    fix: "look in the instances' and the proxy's logs for who closed them, and run this again when nothing is being deployed",
  },
  {
    sign: /ECONNREFUSED|ECONNRESET|socket hang up|no HTTP response/,
    cause: 'the connection was refused or cut: the proxy went away, or what it forwards to did',
    fix: "look whether the proxy's process runs, and in its log at the time of this check",
  },
  {
    sign: /timeout|nothing within|no reply|no response/,
    cause: 'connections open and nobody answers: an instance hangs, or a firewall drops packets',
    fix: `ask each instance alone for ${paths.live}, then the proxy`,
  },
];

const unknownCause = 'not a known one: the words above are what the client got';
const unknownFix = "look for the same moment in the proxy's and the instances' logs";

/** Distinguishes a proxy that sets no cookie from one whose cookie has no effect. */
async function explainUnknownSession(url: string): Promise<Omit<Fault, 'found'>> {
  const cookies = await cookiesOf(url);
  const where = "on AWS the target group's stickiness.enabled, type lb_cookie";
  if (cookies.length === 0) {
    return {
      cause:
        'stickiness is off: the handshake gets no cookie, so that the requests of one session spread; and the instances do not relay them to each other',
      fix: `let the instances reach each other (RELAY_PORT, RELAY_HOST; one Redis for all), or turn stickiness on at the proxy (${where}), and let no CDN before it drop Set-Cookie`,
    };
  }
  return {
    cause: `the handshake sets ${list(cookies)}, and the next request reaches another instance all the same, which can't relay it; or its instance was restarted meanwhile`,
    fix: `see that every hop passes Cookie on and that a cookie of the proxy's own ties clients (${where})`,
  };
}

async function cookiesOf(url: string): Promise<readonly string[]> {
  try {
    return (await sendRequest(`${paths.socketIo}?EIO=4&transport=polling`, url)).setCookies.map(
      (line) => readCookie(line).name,
    );
  } catch {
    return [];
  }
}
