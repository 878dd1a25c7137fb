import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Gate, HandshakeRefusal } from '../http/gates.ts';

type Decide = (message: string | null, allowed: boolean) => void;

const reasons = { 403: 'Forbidden', 429: 'Too Many Requests', 503: 'Service Unavailable' } as const;

/** Socket.IO's `allowRequest` of these gates, the first that refuses speaks. */
export function allowRequest(gates: readonly Gate[]): (request: IncomingMessage, decide: Decide) => void {
  return (request, decide) => {
    for (const gate of gates) {
      const refusal = gate(request);
      if (!refusal) continue;
      answer(request, refusal);
      return decide(refusal.message, false);
    }
    decide(null, true);
  };
}

/**
 * Engine.IO knows two answers, 403 and, to an upgrade, 400 in words; it adds neither where one was given. For
 * polling it keeps the response on the request.
 */
function answer(
  request: IncomingMessage & { readonly res?: ServerResponse },
  refusal: HandshakeRefusal,
): void {
  const { status, code, message, retryAfterSeconds } = refusal;
  const body = JSON.stringify({ error: { code, message } });
  const headers: Record<string, string> = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }),
  };
  if (request.headers.upgrade === undefined && request.res) {
    request.res.writeHead(status, headers).end(body);
    return;
  }
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const socket = request.socket as Socket;
  socket.on('error', () => undefined);
  socket.end([`HTTP/1.1 ${status} ${reasons[status]}`, ...lines, '', body].join('\r\n'));
}
