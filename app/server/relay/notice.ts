import { type IncomingMessage, request as openRequest } from 'node:http';
import type { Address } from './directory.ts';
import { envelopeHeader, seal } from './envelope.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Names what goes through two instances, from the one that the client reached to the one that answers. */
export const exchangeHeader = 'x-realtime-exchange';

const path = '/leaving';
/** The other instance answers at once; one that does not is busy, or gone. In milliseconds. */
const longestWaitMs = 1_000;
const seenTo = 204;
/** It is of no client. */
const noAddress = '-';

export interface Notice {
  /** The exchange that is to end. */
  readonly exchange: string;
  readonly from: string;
  readonly to: string;
}

/**
 * An instance that leaves would cut what it relays. It asks the instance that answers to end it in its own way first:
 * with what its client is owed, and a goodbye.
 *
 * @returns whether that instance sees to it
 */
export async function sendNotice(
  { exchange, from, to }: Notice,
  { host, port }: Address,
  keys: SigningKeys,
): Promise<boolean> {
  const line = { method: 'POST', url: `${path}?exchange=${exchange}` };
  const headers = { [envelopeHeader]: await seal(line, { from, to, address: noAddress }, keys) };
  return new Promise((resolve) => {
    const asked = openRequest({ host, port, method: line.method, path: line.url, headers, agent: false });
    asked.setTimeout(longestWaitMs, () => asked.destroy());
    asked.once('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode === seenTo);
    });
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

/** @returns the exchange that a notice names; undefined for any other request */
export function noticeIn({ method, url }: Pick<IncomingMessage, 'method' | 'url'>): string | undefined {
  const [asked, query] = (url ?? '').split('?', 2);
  if (method !== 'POST' || asked !== path) return undefined;
  return new URLSearchParams(query).get('exchange') ?? undefined;
}

/** The status of the answer to a notice. */
export function noticeStatus(isSeenTo: boolean): number {
  return isSeenTo ? seenTo : 404;
}
