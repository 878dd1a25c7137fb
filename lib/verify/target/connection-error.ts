/** Describes a failed connection in one line, for example `HTTP 400 {"code":1,"message":"Session ID unknown"}`. */
export function describeError(error: unknown): string {
  const { name, message, description, context, cause } = error as ConnectionError;
  if (typeof description === 'number') {
    const body = context?.responseText ?? '';
    return description === 0 ? 'no HTTP response' : `HTTP ${description} ${body.slice(0, 120)}`.trim();
  }
  if (typeof description === 'string') return description;
  if (typeof description === 'object' && description?.message) return description.message;
  if (name === 'AbortError' || name === 'TimeoutError') return 'no response in time';
  return plainTls(cause?.message ?? message ?? String(error));
}

/** The fields of an error of Socket.IO's client, or of Node. They differ by transport. */
interface ConnectionError {
  readonly name?: string;
  readonly message?: string;
  /** Polling: the HTTP status. WebSocket: the event, whose message is what `ws` said. Of a connection that ended: words. */
  readonly description?: number | string | { readonly message?: string };
  readonly context?: { readonly responseText?: string };
  readonly cause?: { readonly message?: string };
}

/** OpenSSL's message contains the name of its source file and a line break. */
function plainTls(words: string): string {
  return words.replace(/^.*:SSL routines:[^:]*:([^:]+):.*$/s, 'TLS failed, $1');
}

/** What to do about a request without an answer. */
export function adviseOn(error: unknown, url: string): string {
  const { code = '', name } = error as NodeJS.ErrnoException;
  const isHttps = url.startsWith('https:');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Check the spelling of the host name.';
  if (/CERT|SIGNED|ALTNAME|ISSUER/.test(code)) {
    return 'For a certificate of your own, name its authority in NODE_EXTRA_CA_CERTS.';
  }
  if (isHttps && /SSL|EPROTO/.test(code))
    return 'It may speak plain HTTP there: give http://, or its TLS port.';
  if (/HPE_/.test(code)) return 'What answers there does not speak HTTP: check the port.';
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return `It hangs up: check the port, ${isHttps ? '' : 'that it does not want https://, '}and the log of what listens there.`;
  }
  if (name === 'AbortError' || name === 'TimeoutError' || code === 'ETIMEDOUT') {
    return 'Check that no firewall or security group is in the way, and that what listens there does not hang.';
  }
  return 'Check the port, and that the service runs; `npm start` starts one on this machine.';
}
