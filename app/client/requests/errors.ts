import type { ErrorCode, ErrorReply } from '../../protocol/hub.ts';

/**
 * The service refused a request, or did not reply in time; see `code`. With `uncertain` the request may be executed.
 */
export class HubError extends Error {
  override readonly name = 'HubError';
  readonly code: ErrorCode;

  constructor({ code, message }: ErrorReply['error']) {
    super(message);
    this.code = code;
  }
}

/** Whether another try can succeed. */
export function mayRetry(code: ErrorCode): boolean {
  return ['refused', 'uncertain', 'unavailable', 'rate_limited', 'expired'].includes(code);
}
