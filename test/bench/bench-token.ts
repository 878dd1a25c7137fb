import { signToken } from '../../app/server/auth/hmac.ts';

/** With which the bench signs its tokens. */
export const benchSecret = 'the bench signs its tokens with this';

/** What a client shows at its handshake. Each is a user of its own, as the limits of users expect. */
export function makeBenchToken(subject: string): string {
  return signToken({ sub: subject, exp: Math.floor(Date.now() / 1000) + 3_600 }, benchSecret);
}
