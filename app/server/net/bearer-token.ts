import type { IncomingHttpHeaders } from 'node:http';

/** What stands behind `Authorization: Bearer`. */
export function bearerTokenIn({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +(.+)$/i.exec(authorization)?.[1];
}
