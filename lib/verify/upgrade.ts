import { randomBytes } from 'node:crypto';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { paths } from '../../app/names.ts';

const timeoutMs = 10_000;

/** What a request for a WebSocket was answered. */
export interface UpgradeAnswer {
  /** 101: there is one now; it is closed again. */
  readonly status: number;
  /** `1.1` */
  readonly httpVersion: string;
  readonly body: string;
}

/** Asks for Engine.IO's WebSocket in the plainest way, with nothing between the request and this machine. */
export function askUpgrade(
  origin: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<UpgradeAnswer> {
  const url = new URL(`${paths.socketIo}?EIO=4&transport=websocket`, origin);
  const send = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
        ...headers,
      },
    });
    request.on('error', reject);
    request.on('upgrade', ({ httpVersion }, socket) => {
      socket.destroy();
      resolve({ status: 101, httpVersion, body: '' });
    });
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        body += part;
      });
      const { statusCode = 0, httpVersion } = response;
      response.on('error', reject);
      response.on('end', () => resolve({ status: statusCode, httpVersion, body: body.slice(0, 200) }));
    });
    request.end();
  });
}
