import { STATUS_CODES } from 'node:http';

/** The load balancer's own answers; everything else comes from a target. */
export type ErrorStatus = 400 | 408 | 502 | 503 | 504;

/** The small HTML page that an ALB answers with. */
export function errorPage(status: ErrorStatus): string {
  const title = `${status} ${STATUS_CODES[status]}`;
  return `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`;
}

/** The page as a whole HTTP response, for a socket that asked for an upgrade. */
export function rawErrorResponse(status: ErrorStatus): string {
  const body = errorPage(status);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: text/html',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
