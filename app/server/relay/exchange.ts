import {
  type ClientRequest,
  type IncomingMessage,
  request as openRequest,
  type RequestOptions,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Address } from './directory.ts';
import { envelopeHeader } from './envelope.ts';
import { exchangeHeader } from './notice.ts';

/** Something of a client's that goes by this instance to another one, for as long as it lasts. */
export interface Exchange {
  readonly kind: 'request' | 'connection';
  /** @param discard cuts it, on both sides; else the other instance is asked to end it first */
  close(discard?: boolean): void;
}

/** How an exchange ends in an orderly way. */
export interface Ending {
  /** What the exchange is called between the two instances. */
  readonly exchange: string;
  /** Asks the instance that answers to end it. @returns whether it sees to it */
  ask(): Promise<boolean>;
}

/** Nobody of that name answers there: nothing was done with the request. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** The other instance answers this to what was meant for somebody else: the address has a new owner. */
export const misdirectedStatus = 421;

/** A host that is gone answers nothing at all, in milliseconds; the next one is a few away. */
const connectTimeoutMs = 2_000;

/** Headers that are about one connection alone (RFC 9110, 7.6.1), and what only instances may say. */
const ofOneConnection = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  envelopeHeader,
  exchangeHeader,
]);
const ofUpgrades = new Set(['connection', 'upgrade']);

/** The headers of a message as they came, without those of its connection. @param isUpgrade keeps what an upgrade needs */
export function passedOn(rawHeaders: readonly string[], isUpgrade = false): string[] {
  const passed: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name, value] = [rawHeaders[index] as string, rawHeaders[index + 1] as string];
    const lower = name.toLowerCase();
    if (ofOneConnection.has(lower) && !(isUpgrade && ofUpgrades.has(lower))) continue;
    passed.push(name, value);
  }
  return passed;
}

/** The request to the other instance: byte for byte the client's, and the sealed envelope. */
export function openUpstream(
  client: IncomingMessage,
  { host, port }: Address,
  headers: readonly string[],
  agent: RequestOptions['agent'],
): ClientRequest {
  const { method, url } = client;
  const upstream = openRequest({ host, port, method, path: url, headers, agent, setHost: false });
  upstream.once('socket', (socket: Socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => upstream.destroy(new UnreachableError('no answer')), connectTimeoutMs);
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
  });
  return upstream;
}

const beforeConnected = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ETIMEDOUT']);

/** Whether the request has not reached anybody. */
export function isUnreachable(error: NodeJS.ErrnoException): boolean {
  return (
    error instanceof UnreachableError ||
    error.syscall === 'getaddrinfo' ||
    (error.syscall === 'connect' && beforeConnected.has(error.code ?? ''))
  );
}
