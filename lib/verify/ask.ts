import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';

const timeoutMs = 10_000;

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Names of the cookies that it sets. */
  readonly cookies: readonly string[];
}

/** One GET on a connection of its own, to any port: `fetch` refuses some. */
export function ask(path: string, origin: string): Promise<Answer> {
  const url = new URL(path, origin);
  const get = url.protocol === 'https:' ? getSecure : getPlain;
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) });
    request.on('error', reject);
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        body += part;
      });
      response.on('error', reject);
      response.on('end', () => {
        const cookies = (response.headers['set-cookie'] ?? []).map((cookie) => cookie.split('=', 1)[0] ?? '');
        resolve({ status: response.statusCode ?? 0, body, cookies });
      });
    });
  });
}
