import type { ErrorCode, Refusal } from '../protocol/hub.ts';

/** The service said no, or nothing in time. `code` tells which; `uncertain` means that it may be done. */
export class HubError extends Error {
  override readonly name = 'HubError';
  readonly code: ErrorCode;

  constructor({ code, message }: Refusal['error']) {
    super(message);
    this.code = code;
  }
}

/** Another try may go through. */
export function mayRetry(code: ErrorCode): boolean {
  return code === 'refused' || code === 'uncertain' || code === 'unavailable' || code === 'rate_limited';
}
