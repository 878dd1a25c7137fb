/** Why a token is not taken; the code goes to the client, the message too: neither says anything of the key. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';
  readonly code: 'missing' | 'invalid' | 'expired' | 'revoked' | 'unavailable';

  constructor(code: AuthenticationError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
