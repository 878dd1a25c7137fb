import { randomBytes } from 'node:crypto';
import { type IncomingHttpHeaders, type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../../app/names.ts';

export interface RequestOptions {
  /** @default GET */
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Time for the whole response, in milliseconds. @default 10000 */
  readonly timeoutMs?: number;
}

export interface HttpResponse {
  /** 101 means that a WebSocket was opened. It is closed again. */
  readonly status: number;
  /** `1.1` */
  readonly httpVersion: string;
  /** At most 64 KB of it. */
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  /** The `Set-Cookie` lines. */
  readonly setCookies: readonly string[];
}

const defaultTimeoutMs = 10_000;
/** The server may be anything, and may send for ever. */
const mostCharacters = 65_536;

/** Sends one request on its own connection, to any port: `fetch` refuses some. Redirects are not followed. */
export function sendRequest(
  path: string,
  origin: string,
  { method = 'GET', headers = {}, body, timeoutMs = defaultTimeoutMs }: RequestOptions = {},
): Promise<HttpResponse> {
  const url = new URL(path, origin);
  const send = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const request = send(url, { agent: false, signal, method, headers: { ...headers } });
    request.on('error', reject);
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(responseOf(response, ''));
    });
    request.on('response', (response) => {
      readBody(response).then((text) => resolve(responseOf(response, text)), reject);
    });
    request.end(body);
  });
}

/** Number of tries. The service's limits let a request through within a second or two. */
const mostTries = 5;
const longestPauseMs = 3_000;

/** The same, tried again while a limit rejects it (HTTP 429), after the time that the response names. */
export async function sendWithinLimits(
  path: string,
  origin: string,
  options: RequestOptions = {},
): Promise<HttpResponse> {
  for (let left = mostTries; ; left -= 1) {
    const response = await sendRequest(path, origin, options);
    if (response.status !== 429 || left === 1) return response;
    const seconds = Number(response.headers['retry-after']);
    await delay(Math.min(longestPauseMs, seconds > 0 ? seconds * 1_000 : 1_000));
  }
}

/** Requests Engine.IO's WebSocket without any client library. */
export function requestUpgrade(
  origin: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> {
  return sendRequest(`${paths.socketIo}?EIO=4&transport=websocket`, origin, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      ...headers,
    },
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    text += part;
    if (text.length >= mostCharacters) break;
  }
  return text.slice(0, mostCharacters);
}

function responseOf({ statusCode = 0, httpVersion, headers }: IncomingMessage, body: string): HttpResponse {
  return { status: statusCode, httpVersion, body, headers, setCookies: headers['set-cookie'] ?? [] };
}

/** Describes a failed connection in one line, for example `HTTP 400 {"code":1,"message":"Session ID unknown"}`. */
export function describeError(error: unknown): string {
  const { name, message, description, context, cause } = error as ConnectionError;
  if (typeof description === 'number') {
    const body = context?.responseText ?? '';
    return description === 0 ? 'no HTTP response' : `HTTP ${description} ${body.slice(0, 120)}`.trim();
  }
  if (typeof description === 'string') return description;
  if (typeof description === 'object' && description?.message) return description.message;
  if (name === 'AbortError' || name === 'TimeoutError') return 'no response in time';
  return plainTls(cause?.message ?? message ?? String(error));
}

/** The fields of an error of Socket.IO's client, or of Node. They differ by transport. */
interface ConnectionError {
  readonly name?: string;
  readonly message?: string;
  /** Polling: the HTTP status. WebSocket: the event, whose message is what `ws` said. Of a connection that ended: words. */
  readonly description?: number | string | { readonly message?: string };
  readonly context?: { readonly responseText?: string };
  readonly cause?: { readonly message?: string };
}

/** OpenSSL's message contains the name of its source file and a line break. */
function plainTls(words: string): string {
  return words.replace(/^.*:SSL routines:[^:]*:([^:]+):.*$/s, 'TLS failed, $1');
}

/** What to do about a request without an answer. */
export function adviseOn(error: unknown, url: string): string {
  const { code = '', name } = error as NodeJS.ErrnoException;
  const isHttps = url.startsWith('https:');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Check the spelling of the host name.';
  if (/CERT|SIGNED|ALTNAME|ISSUER/.test(code)) {
    return 'For a certificate of your own, name its authority in NODE_EXTRA_CA_CERTS.';
  }
  if (isHttps && /SSL|EPROTO/.test(code))
    return 'It may speak plain HTTP there: give http://, or its TLS port.';
  if (/HPE_/.test(code)) return 'What answers there does not speak HTTP: check the port.';
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return `It hangs up: check the port, ${isHttps ? '' : 'that it does not want https://, '}and the log of what listens there.`;
  }
  if (name === 'AbortError' || name === 'TimeoutError' || code === 'ETIMEDOUT') {
    return 'Check that no firewall or security group is in the way, and that what listens there does not hang.';
  }
  return 'Check the port, and that the service runs; `npm start` starts one on this machine.';
}
