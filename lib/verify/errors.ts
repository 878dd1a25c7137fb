/** Why a run can't begin: a wrong command, nothing or another server at the URL, a token, a stack, another run. */
export type ErrorKind = 'usage' | 'unreachable' | 'not-ours' | 'token' | 'stack' | 'busy';

/** Thrown if nothing can be verified. The message says what was found and what to do. */
export class CannotVerifyError extends Error {
  override readonly name = 'CannotVerifyError';
  readonly kind: ErrorKind;
  /** Address of a server that is not this service. */
  readonly otherServer: string | undefined;

  constructor(kind: ErrorKind, message: string, otherServer?: string) {
    super(message);
    this.kind = kind;
    this.otherServer = otherServer;
  }
}

/** Thrown if the command line is not valid. */
export class UsageError extends CannotVerifyError {
  constructor(message: string) {
    super('usage', message);
  }
}
