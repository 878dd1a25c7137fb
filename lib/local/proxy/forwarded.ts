import type { IncomingMessage } from 'node:http';

/** Tells the target who asked and how, as an ALB does: it appends to X-Forwarded-For and sets the other two. */
export function setForwardedHeaders(request: IncomingMessage): void {
  const { headers, socket } = request;
  const client = socket.remoteAddress?.replace(/^::ffff:/, '') ?? 'unknown';
  const before = headers['x-forwarded-for'];
  headers['x-forwarded-for'] = before ? `${before}, ${client}` : client;
  headers['x-forwarded-proto'] = 'http';
  headers['x-forwarded-port'] = String(socket.localPort);
}
