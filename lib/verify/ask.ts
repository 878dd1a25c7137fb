import { type IncomingHttpHeaders, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';

const timeoutMs = 10_000;

export interface Question {
  /** @default GET */
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  /** `Set-Cookie` lines, as they are. */
  readonly setCookies: readonly string[];
}

/** One request on a connection of its own, to any port: `fetch` refuses some. */
export function ask(path: string, origin: string, { method, headers, body }: Question = {}): Promise<Answer> {
  const url = new URL(path, origin);
  const send = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
      method: method ?? 'GET',
      headers: { ...headers },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: text,
          headers: response.headers,
          setCookies: response.headers['set-cookie'] ?? [],
        }),
      );
    });
    request.end(body);
  });
}

/** The name of the cookie that a `Set-Cookie` line sets. */
export function nameOf(setCookie: string): string {
  return setCookie.split('=', 1)[0] ?? '';
}
