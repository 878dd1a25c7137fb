import { paths } from '../../app/names.ts';
import { ask } from './ask.ts';
import type { Fault } from './check.ts';
import { list } from './words.ts';

export const isUnknownSession = (words: string): boolean => words.includes('Session ID unknown');

/** Why clients could not connect, as a fault. */
export async function explainConnection(url: string, found: string, words: string): Promise<Fault> {
  if (isUnknownSession(words)) return { found, ...(await explainUnknownSession(url)) };
  const known = connectionFaults.find(({ sign }) => sign.test(words));
  return { found, cause: known?.cause ?? unknownCause, fix: known?.fix ?? unknownFix };
}

const connectionFaults: readonly { sign: RegExp; cause: string; fix: string }[] = [
  {
    sign: /\b50[234]\b/,
    cause: 'the proxy has no instance that takes requests: none is registered, or none is ready',
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
    sign: /: (unavailable|refused|uncertain),|messages came back/,
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
    sign: /ECONNREFUSED|ECONNRESET|socket hang up|no HTTP answer/,
    cause: 'the connection was refused or cut: the proxy went away, or what it forwards to did',
    fix: "look whether the proxy's process runs, and in its log at the time of this check",
  },
  {
    sign: /timeout|nothing within/,
    cause: 'connections open and nobody answers: an instance hangs, or a firewall drops packets',
    fix: `ask each instance alone for ${paths.live}, then the proxy`,
  },
];

const unknownCause = 'not a known one: the words above are what the client was told';
const unknownFix = "look for the same moment in the proxy's and the instances' logs";

/** Tells a proxy that sets no cookie from one whose cookie has no effect. */
async function explainUnknownSession(url: string): Promise<Omit<Fault, 'found'>> {
  const cookies = await cookiesOf(url);
  const where = "on AWS the target group's stickiness.enabled, type lb_cookie";
  if (cookies.length === 0) {
    return {
      cause: 'stickiness is off: the handshake gets no cookie, so that the requests of one session spread',
      fix: `turn stickiness on at the proxy (${where}), and let no CDN before it drop Set-Cookie`,
    };
  }
  return {
    cause: `the handshake sets ${list(cookies)}, and the next request reaches another instance all the same`,
    fix: `see that every hop passes Cookie on and that a cookie of the proxy's own ties clients (${where})`,
  };
}

async function cookiesOf(url: string): Promise<readonly string[]> {
  try {
    return (await ask(`${paths.socketIo}?EIO=4&transport=polling`, url)).cookies;
  } catch {
    return [];
  }
}
