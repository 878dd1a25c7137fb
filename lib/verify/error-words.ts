/** What a failed connection said, in one line, for example `HTTP 400 {"code":1,"message":"Session ID unknown"}`. */
export function wordsOf(error: unknown): string {
  const { message, description, context, cause } = error as ConnectionError;
  if (typeof description === 'number') {
    const body = context?.responseText ?? '';
    return description === 0 ? 'no HTTP answer' : `HTTP ${description} ${body.slice(0, 120)}`.trim();
  }
  if (typeof description === 'object' && description?.message) return description.message;
  return plainTls(cause?.message ?? message ?? String(error));
}

/** As much as Socket.IO's client tells of an error; its transports differ. */
interface ConnectionError {
  readonly message?: string;
  /** Polling: the HTTP status. WebSocket: the event, whose message is what `ws` said. */
  readonly description?: number | { readonly message?: string };
  readonly context?: { readonly responseText?: string };
  readonly cause?: { readonly message?: string };
}

/** OpenSSL's words come with its source file's name and a line break. */
function plainTls(words: string): string {
  return words.replace(/^.*:SSL routines:[^:]*:([^:]+):.*$/s, 'TLS failed, $1');
}
