import { createHmac } from 'node:crypto';

/** The claims of a token that its bearer can read. */
export interface Claims {
  readonly sub?: string;
  /** Seconds since 1970. */
  readonly exp?: number;
  readonly iss?: string;
  readonly aud?: string;
  readonly rooms?: readonly (string | { readonly room: string })[];
}

/** A JWT, signed with HS256. */
export function mint(claims: Claims, secret: string): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** A JWT whose header says that it is not signed. */
export function unsigned(claims: Claims): string {
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}

/** The token with another subject and the old signature. */
export function tampered(token: string): string {
  const [head, , signature] = token.split('.');
  return `${head}.${encode({ ...claimsOf(token), sub: 'verify-somebody-else' })}.${signature}`;
}

/** Undefined if it is no JWT. */
export function claimsOf(token: string): Claims | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the token names no rooms, or allows this one. */
export function allowsRoom({ rooms }: Claims, hub: string, room: string): boolean {
  const name = `${hub}/${room}`;
  return (
    rooms === undefined || rooms.some((entry) => covers(typeof entry === 'string' ? entry : entry.room, name))
  );
}

function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
