import type { Identity } from '../../auth/identity.ts';
import type { SigningKeys } from '../../relay/signing-keys.ts';
import { hashOfSubject, mintToken, newClaims } from '../connection/connection-token.ts';
import type { HubRequest } from './request.ts';

/** The versions of the negotiation: 1 tells the connection's id from the token that leads to it. */
const latestVersion = 1;

const availableTransports = [
  { transport: 'WebSockets', transferFormats: ['Text', 'Binary'] },
  { transport: 'ServerSentEvents', transferFormats: ['Text'] },
  { transport: 'LongPolling', transferFormats: ['Text', 'Binary'] },
];

const notAnInteger = { error: 'The client requested a non-integer protocol version.' };

export interface Negotiator {
  readonly keys: SigningKeys;
  /** The instance that is to serve the connection, unless it is a WebSocket. */
  readonly instance: string;
}

/** The answer to a negotiation. It keeps nothing: all that is to be known later stands in the token. */
export async function negotiate(
  { query, path }: HubRequest,
  identity: Identity | undefined,
  { keys, instance }: Negotiator,
): Promise<object> {
  const version = negotiatedVersion(query.get('negotiateversion'));
  if (version === undefined) return notAnInteger;
  const claims = newClaims({ instance, hub: path, subjectHash: hashOfSubject(identity?.subject) });
  const { connectionId } = claims;
  const token = await mintToken(claims, keys);
  // In version 0 the client shows the id that it was given.
  return version === 0
    ? { negotiateVersion: 0, connectionId: token, availableTransports }
    : { negotiateVersion: version, connectionId, connectionToken: token, availableTransports };
}

/** @param asked `negotiateVersion` as it came  @returns undefined for what is no version */
function negotiatedVersion(asked: string | null): number | undefined {
  if (asked === null) return 0;
  if (!/^-?\d+$/.test(asked)) return undefined;
  return Math.max(0, Math.min(latestVersion, Number(asked)));
}
