import type { IncomingMessage } from 'node:http';
import type { Envelope } from '../net/relayed.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Says, from one instance to another, who relays a request and whose it is. */
export const envelopeHeader = 'x-realtime-relay';

/** Clocks of instances differ, and a request can wait: what is older was kept by somebody. In milliseconds. */
const longestAgeMs = 30_000;

type Line = Pick<IncomingMessage, 'method' | 'url'>;

/** The header's value. It holds for this method and URL, for one receiver and for a short time. */
export async function seal(line: Line, envelope: Envelope, keys: SigningKeys): Promise<string> {
  const { from, to, address } = envelope;
  const fields = [Date.now().toString(36), from, to, address].map(encodeURIComponent);
  return [await keys.sign(signedOf(line, fields)), ...fields].join(' ');
}

/** @returns undefined for what no instance of this deployment has sealed for `to`, just now */
export async function open(
  line: Line & Pick<IncomingMessage, 'headers'>,
  to: string,
  keys: SigningKeys,
): Promise<Envelope | undefined> {
  const value = line.headers[envelopeHeader];
  if (typeof value !== 'string') return undefined;
  const [signature = '', ...fields] = value.split(' ');
  if (fields.length !== 4 || !(await keys.verify(signedOf(line, fields), signature))) return undefined;
  const [time, from, receiver, address] = fields.map(decodeURIComponent) as [string, string, string, string];
  if (receiver !== to || Math.abs(Date.now() - Number.parseInt(time, 36)) > longestAgeMs) return undefined;
  return { from, to, address };
}

function signedOf({ method, url }: Line, fields: readonly string[]): string {
  return ['relay', method, url, ...fields].join('\n');
}
