import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Logger } from 'pino';
import { clientAddress } from '../net/client-address.ts';

export interface ProxyWatchOptions {
  readonly trustedProxyHops: number;
  readonly log: Pick<Logger, 'warn'>;
  /** From one warning of a kind to the next, in milliseconds. @default 60,000 */
  readonly everyMs?: number;
}

/** Characters of a header in a warning: whoever asks can write into it what he likes. */
const longestShown = 200;

/**
 * Warns of what shows that proxies in front are not as the settings say: then pages are refused, or all clients count
 * as one, and nothing else would say why. Each warning names what was seen, the setting and the proxy's.
 */
export class ProxyWatch {
  readonly #options: ProxyWatchOptions;
  /** When each kind of warning was given last. */
  readonly #warnedAt = new Map<string, number>();

  constructor(options: ProxyWatchOptions) {
    this.#options = options;
  }

  /** A page's request was refused for its origin. */
  originRefused({ headers }: IncomingMessage): void {
    this.#warn('origin', () => {
      const [host, forwardedHost] = [headers.host, headers['x-forwarded-host']].map(shown);
      return (
        `refused a page of ${shown(headers.origin)}, for it is not the service's own: Host is ${host}, X-Forwarded-Host ` +
        `${forwardedHost}, TRUSTED_PROXY_HOPS ${this.#options.trustedProxyHops}. If it is, a proxy changes Host: pass it on ` +
        'with its port (nginx: proxy_set_header Host $http_host), or pass X-Forwarded-Host and set TRUSTED_PROXY_HOPS. ' +
        'If its host is another one, name it in CORS_ORIGINS'
      );
    });
  }

  /** A client asks to be let in: by the proxies that are said to be there? */
  look(request: IncomingMessage): void {
    const hops = this.#options.trustedProxyHops;
    const header = String(request.headers['x-forwarded-for'] ?? '');
    const length = countAddresses(header);
    if (hops === 0 && length > 0) this.#warn('untrusted', () => untrusted(request, header));
    if (length < hops) this.#warn('too few', () => tooFew(header, length, hops));
    if (hops === 0 || length <= hops) return;
    const address = clientAddress(request, hops);
    if (isInside(address)) this.#warn('one more', () => oneMore(header, address, hops));
  }

  #warn(kind: string, message: () => string): void {
    const now = performance.now();
    if (now - (this.#warnedAt.get(kind) ?? Number.NEGATIVE_INFINITY) < (this.#options.everyMs ?? 60_000))
      return;
    this.#warnedAt.set(kind, now);
    this.#options.log.warn(message());
  }
}

function countAddresses(header: string): number {
  if (header === '') return 0;
  return header.split(',').filter((address) => address.trim() !== '').length;
}

function untrusted(request: IncomingMessage, header: string): string {
  return (
    `a client came with X-Forwarded-For ${shown(header)} from ${clientAddress(request, 0)}: if that is a proxy of yours, all its ` +
    'clients count as one address and share its limits, for TRUSTED_PROXY_HOPS is 0. Set it to the number of proxies'
  );
}

function tooFew(header: string, count: number, hops: number): string {
  return (
    `a client came with X-Forwarded-For ${shown(header)}, which has ${count} of the ${hops} addresses of TRUSTED_PROXY_HOPS: all ` +
    "such clients count as one address and share its limits. Let each proxy add its client's address " +
    '(nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for), or set TRUSTED_PROXY_HOPS to the number that do'
  );
}

function oneMore(header: string, address: string, hops: number): string {
  return (
    `a client came with X-Forwarded-For ${shown(header)}, and counts as ${address}, an address inside, for TRUSTED_PROXY_HOPS is ` +
    `${hops}: if that is a proxy of yours, all its clients share one address's limits. Set it to the number of proxies`
  );
}

function shown(header: string | readonly string[] | undefined): string {
  if (header === undefined || header.length === 0) return 'absent';
  return JSON.stringify(String(header).slice(0, longestShown));
}

/** Networks that no client on the internet comes from (RFC 1918, 6598, 4193, 4291). */
const inside = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  inside.addSubnet(network, prefix, 'ipv4');
}
inside.addSubnet('fc00::', 7, 'ipv6');
inside.addSubnet('fe80::', 10, 'ipv6');
inside.addAddress('::1', 'ipv6');

function isInside(address: string): boolean {
  return inside.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
