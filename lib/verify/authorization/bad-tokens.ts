import { randomBytes } from 'node:crypto';
import { type Claims, claimsOf, mint, tampered, unsigned } from '../mint.ts';
import type { Tokens } from '../tokens.ts';

/** What no hub may take. */
export interface BadToken {
  /** `no token`, `a token that has expired` */
  readonly what: string;
  readonly auth: { readonly token?: string };
}

export const noToken: BadToken = { what: 'no token', auth: {} };

/** All that can be made with what there is. */
export async function badTokens(tokens: Tokens): Promise<readonly BadToken[]> {
  const good = await tokens.of(0);
  const claims: Claims = {
    sub: 'verify-nobody',
    ...(good === undefined ? {} : claimsOf(good)),
    exp: Math.floor(Date.now() / 1_000) + 300,
  };
  const expired = tokens.mint?.({ sub: 'verify-late', exp: Math.floor(Date.now() / 1_000) - 60 });
  return [
    noToken,
    { what: 'garbage', auth: { token: 'verify.garbage.token' } },
    { what: 'another key', auth: { token: mint(claims, randomBytes(32).toString('hex')) } },
    { what: 'no signature', auth: { token: unsigned(claims) } },
    ...(good === undefined ? [] : [{ what: 'a changed subject', auth: { token: tampered(good) } }]),
    ...(expired === undefined ? [] : [{ what: 'an expired token', auth: { token: expired } }]),
  ];
}
