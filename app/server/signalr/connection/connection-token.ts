import { createHash, randomBytes } from 'node:crypto';
import type { SigningKeys } from '../../relay/signing-keys.ts';

/** What a token of a negotiation says. It locates a connection; who comes with it is authenticated each time. */
export interface ConnectionClaims {
  readonly connectionId: string;
  /** The instance that serves the connection, unless it is a WebSocket. */
  readonly instance: string;
  readonly hub: string;
  /** Of the user's subject: whoever else comes with this token is refused. */
  readonly subjectHash: string;
  /** Seconds since 1970. */
  readonly issuedAt: number;
}

const version = 's1';
/** A token leads to a new connection for so long, in seconds. */
const firstUseSeconds = 60;
const connectionIdBytes = 16;
const hashLength = 16;

/** Of a connection that is to be. */
export function newClaims(of: Pick<ConnectionClaims, 'instance' | 'hub' | 'subjectHash'>): ConnectionClaims {
  return {
    ...of,
    connectionId: randomBytes(connectionIdBytes).toString('base64url'),
    issuedAt: Math.floor(Date.now() / 1_000),
  };
}

export function isFresh({ issuedAt }: ConnectionClaims): boolean {
  return Math.abs(Date.now() / 1_000 - issuedAt) <= firstUseSeconds;
}

/** @param subject undefined where nobody is authenticated */
export function hashOfSubject(subject: string | undefined): string {
  return createHash('sha256')
    .update(subject === undefined ? '' : `subject\n${subject}`)
    .digest('base64url')
    .slice(0, hashLength);
}

/** Of characters that need no encoding: Microsoft's client puts it into a URL as it is. */
export async function mintToken(claims: ConnectionClaims, keys: SigningKeys): Promise<string> {
  const { connectionId, instance, hub, subjectHash, issuedAt } = claims;
  const payload = Buffer.from(JSON.stringify([connectionId, instance, hub, subjectHash, issuedAt]));
  const signed = `${version}.${payload.toString('base64url')}`;
  return `${signed}.${await keys.sign(signed)}`;
}

/** @returns undefined for what no instance of this deployment gave out for this hub */
export async function readToken(
  token: string,
  hub: string,
  keys: SigningKeys,
): Promise<ConnectionClaims | undefined> {
  const [, signed, payload, signature] = pattern.exec(token) ?? [];
  if (signed === undefined || payload === undefined || signature === undefined) return undefined;
  if (!(await keys.verify(signed, signature))) return undefined;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  const [connectionId, instance, of, subjectHash, issuedAt] = claims as [
    string,
    string,
    string,
    string,
    number,
  ];
  return of === hub ? { connectionId, instance, hub, subjectHash, issuedAt } : undefined;
}

const pattern = /^(s1\.([\w-]{1,400}))\.([0-9a-z]{1,8}\.[\w-]{1,64})$/;
