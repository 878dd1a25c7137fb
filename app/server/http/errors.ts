import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';

/** A fault that the caller gets to know, as `{error: {code, message}}`. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly statusCode: number;
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(statusCode: number, code: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const codes: Readonly<Record<number, string>> = {
  400: 'bad_request',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'too_large',
  414: 'too_large',
  415: 'unsupported_media_type',
};

/** Every fault is JSON without a stack; what is the service's own stands in the log alone. */
export function respondToErrors(http: FastifyInstance): void {
  const routes: { readonly pattern: RegExp; readonly method: string }[] = [];
  http.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return;
    for (const each of [method].flat()) routes.push({ pattern: patternOf(url), method: each });
  });
  http.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] as string;
    const allowed = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (allowed.length === 0) return send(reply, 404, 'not_found', 'there is nothing here');
    reply.header('allow', [...new Set(allowed)].join(', '));
    return send(reply, 405, 'method_not_allowed', `takes ${allowed.join(', ')}`);
  });
  http.setErrorHandler((error: FastifyError | HttpError, request, reply) => {
    const { statusCode = 500, message } = error;
    if (error instanceof HttpError) {
      if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds));
      return send(reply, statusCode, error.code, message);
    }
    if (statusCode < 500) return send(reply, statusCode, codes[statusCode] ?? 'bad_request', message);
    request.log.error({ err: error }, 'a request failed');
    return send(reply, 500, 'internal', 'the service failed to do this; its log says why');
  });
}

function send(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  return reply.code(status).header('cache-control', 'no-store').send({ error: { code, message } });
}

function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/:[A-Za-z]+/g, '[^/]+')}$`);
}

const clientErrors: Readonly<Record<string, readonly [status: string, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'too_large', 'the headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'timeout', 'the request did not come in time'],
};

/** What is no HTTP at all, or too much of it, is answered before any route: Fastify's `clientErrorHandler`. */
export function respondToClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = clientErrors[error.code ?? ''];
  const [status, code, message] = known ?? ['400 Bad Request', 'bad_request', 'this is not HTTP'];
  const body = JSON.stringify({ error: { code, message } });
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy());
}

/** @throws HttpError 400 that lists every fault */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'the request'}: ${message}`,
  );
  throw new HttpError(400, 'bad_request', faults.join('; '));
}
