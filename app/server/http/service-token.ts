import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { bearerTokenIn } from '../net/bearer-token.ts';
import { HttpError } from './errors.ts';

type Check = (request: FastifyRequest) => void;

/**
 * Checks that a caller holds one of the service tokens. All of them are compared, as hashes: the time that it takes
 * says neither how much of one was right nor which.
 *
 * @returns throws HttpError 401 without a token, 403 with another
 */
export function requireServiceToken(tokens: readonly string[]): Check {
  const hashes = tokens.map(hashOf);
  return ({ headers }) => {
    const given = bearerTokenIn(headers);
    if (given === undefined) {
      throw new HttpError(401, 'unauthorized', 'give a service token: Authorization: Bearer …');
    }
    const hash = hashOf(given);
    const matches = hashes.filter((each) => timingSafeEqual(each, hash));
    if (matches.length === 0) throw new HttpError(403, 'forbidden', 'this is none of the service tokens');
  };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
