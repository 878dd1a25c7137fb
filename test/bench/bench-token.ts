import { signToken } from '../../app/server/auth/hmac.ts';
import type { AuthSettings } from '../../app/server/environment.ts';

const secret = 'the bench signs its tokens with this';

export const benchAuth: AuthSettings = {
  secrets: [secret],
  jwksUrl: undefined,
  issuer: undefined,
  audience: undefined,
  guests: false,
  none: false,
};

/** What each client of the hub shows at its handshake. */
export function makeBenchToken(): string {
  return signToken({ sub: 'bench', exp: Math.floor(Date.now() / 1000) + 3_600 }, secret);
}
