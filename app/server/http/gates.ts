import type { IncomingMessage } from 'node:http';
import { clientAddress } from '../net/client-address.ts';
import { isAllowedOrigin, type OriginRules } from './origin.ts';
import type { ProxyWatch } from './proxy-watch.ts';

/** Why a handshake is not taken. */
export interface HandshakeRefusal {
  readonly status: 403 | 429 | 503;
  readonly code: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

/** Looks at a handshake before anything is kept of it. Undefined: it may go on. */
export type Gate = (request: IncomingMessage) => HandshakeRefusal | undefined;

/** Refuses the pages of other origins. */
export function originGate(rules: OriginRules): Gate {
  return (request) => {
    if (isAllowedOrigin(request, rules)) return undefined;
    rules.onRefused?.(request);
    return {
      status: 403,
      code: 'forbidden_origin',
      message: 'pages of this origin may not connect: the log of the service says what to set',
    };
  };
}

/** Refuses nobody: what it finds is logged. */
export function proxyGate(proxies: Pick<ProxyWatch, 'look'>): Gate {
  return (request) => {
    proxies.look(request);
    return undefined;
  };
}

/**
 * Refuses an address that comes too often.
 * @param consume one handshake of an address; returns the milliseconds after which to try again, undefined: go on
 */
export function rateGate(consume: (address: string) => number | undefined, trustedProxyHops: number): Gate {
  return (request) => {
    const waitMs = consume(clientAddress(request, trustedProxyHops));
    if (waitMs === undefined) return undefined;
    return {
      status: 429,
      code: 'rate_limited',
      message: `try again in ${waitMs} ms`,
      retryAfterSeconds: Math.ceil(waitMs / 1_000),
    };
  };
}

/** Refuses everyone while the instance takes no clients. */
export function readinessGate(takesClients: () => boolean, readiness: () => string): Gate {
  return () =>
    takesClients()
      ? undefined
      : { status: 503, code: 'unavailable', message: `the instance is ${readiness()}`, retryAfterSeconds: 1 };
}
