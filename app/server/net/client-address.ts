import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { relayedBy } from './relayed.ts';

interface Peer {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/**
 * The client's address: each trusted proxy appended the one that it saw to `X-Forwarded-For`, so it is counted from
 * the right, and what a client writes there itself stands further left.
 *
 * @param hops proxies in front; 0: the connection's own address
 */
export function clientAddress(request: Peer, hops: number): string {
  // Another instance that sent the request on says whom it came from.
  const own = withoutMapping(relayedBy(request)?.address ?? request.socket.remoteAddress ?? 'unknown');
  if (hops === 0) return own;
  const seen = String(request.headers['x-forwarded-for'] ?? '').split(',');
  // A list that is too short did not come by all of the proxies: none of it is believed.
  return addressIn(seen.at(-hops)?.trim() ?? '') ?? own;
}

/** The same rule as Fastify's option, for `request.protocol` and `request.host`: a number it takes for no trust. */
export function trustProxy(hops: number): false | ((address: string, hop: number) => boolean) {
  return hops === 0 ? false : (_address, hop) => hop < hops;
}

/** The last value that a trusted proxy put into a header such as `X-Forwarded-Proto`. */
export function forwarded(request: IncomingMessage, header: string, hops: number): string | undefined {
  if (hops === 0) return undefined;
  const value = [request.headers[header] ?? []].flat().join(',').split(',').at(-1)?.trim();
  return value === '' ? undefined : value;
}

/** The browser's connection is encrypted, here or by a trusted proxy. */
export function isSecure(request: IncomingMessage, hops: number): boolean {
  if ('encrypted' in request.socket) return true;
  return ['https', 'wss'].includes(forwarded(request, 'x-forwarded-proto', hops)?.toLowerCase() ?? '');
}

/** What limits count by: an IPv4 address, or the /64 of an IPv6 one, which is what one customer has. */
export function networkOf(address: string): string {
  if (!address.includes(':') || isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const first = head === '' ? [] : head.split(':');
  const last = tail ? tail.split(':') : [];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array<string>(zeros).fill('0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** Some proxies append the port: `192.0.2.7:50312`, `[2001:db8::1]:50312`. */
function addressIn(text: string): string | undefined {
  if (isIP(text) !== 0) return withoutMapping(text);
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1];
  return bare === undefined || isIP(bare) === 0 ? undefined : withoutMapping(bare);
}

function withoutMapping(address: string): string {
  if (!address.startsWith(':')) return address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
