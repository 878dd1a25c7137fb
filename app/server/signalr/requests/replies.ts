import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** Why a request is not taken, as its HTTP answer. */
export interface ErrorReply {
  readonly status: number;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

export const unknownConnection: ErrorReply = { status: 404, message: 'No Connection with that ID' };
export const foreignOrigin: ErrorReply = { status: 403, message: 'pages of this origin may not connect' };
export const leaving: ErrorReply = {
  status: 503,
  message: 'the instance is leaving: try again',
  retryAfterSeconds: 1,
};

export function respond(response: ServerResponse, status: number, text = ''): void {
  response.writeHead(status, headersOf('text/plain', text));
  response.end(text);
}

export function respondJson(response: ServerResponse, value: object): void {
  const text = JSON.stringify(value);
  response.writeHead(200, headersOf('application/json', text));
  response.end(text);
}

export function refuse(response: ServerResponse, { status, message, retryAfterSeconds }: ErrorReply): void {
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds));
  respond(response, status, message);
}

/** What was not read of the body would be taken for the next request. */
export function refuseLargeBody(response: ServerResponse): void {
  response.writeHead(413, { connection: 'close' }).end();
}

export function refuseUpgrade(socket: Duplex, { status, message, retryAfterSeconds }: ErrorReply): void {
  const headers = {
    ...headersOf('text/plain', message),
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': retryAfterSeconds }),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', message].join('\r\n'));
}

/** A client in Python swallows the 404 and asks on without a pause; it follows what a message says. */
export function gone(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' || request.headers.accept !== 'Text') {
    return void refuse(response, unknownConnection);
  }
  const close = Buffer.from('{"type":7,"allowReconnect":true}\x1e');
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': close.length });
  response.end(close);
}

function headersOf(type: string, text: string) {
  return {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
}
