import type { Limits } from '../limits/limits.ts';
import { clientAddress } from './client-address.ts';
import type { Gate } from './gate.ts';
import { isAllowedOrigin, type OriginRules } from './origin.ts';

/** Refuses the pages of other origins. */
export function originGate(rules: OriginRules): Gate {
  return (request) =>
    isAllowedOrigin(request, rules)
      ? undefined
      : {
          status: 403,
          code: 'forbidden_origin',
          message: 'pages of this origin may not connect: name it in CORS_ORIGINS',
        };
}

/** Refuses an address that comes too often. */
export function rateGate(limits: Pick<Limits, 'handshake'>, trustedProxyHops: number): Gate {
  return (request) => {
    const waitMs = limits.handshake(clientAddress(request, trustedProxyHops));
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
