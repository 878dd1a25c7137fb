import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { name } from '../../protocol/schemas.ts';
import { longestRoom } from '../../protocol/text.ts';
import { DenyListError } from '../deny-list/deny-list.ts';
import type { Denials } from '../deny-list/open-denials.ts';
import { checked, HttpError } from './errors.ts';
import { requireServiceToken } from './service-token.ts';

export interface BansOptions {
  readonly denials: Denials;
  readonly hubs: ReadonlyMap<string, unknown>;
  /** None: the routes are not served, and answer 404. */
  readonly serviceTokens: readonly string[];
}

/** A year: who is out for longer is out of the identity provider. */
const longestSeconds = 31_536_000;

const text = name(longestRoom);
const ban = z.object({ hub: text, room: text, subject: text });
const revocation = z
  .object({ subject: text.optional(), tokenId: text.optional() })
  .refine(({ subject, tokenId }) => (subject === undefined) !== (tokenId === undefined), {
    message: 'must name a subject or a tokenId, and not both',
  });
const duration = z.object({ forSeconds: z.number().positive().max(longestSeconds) });

/**
 * For backends and operators, with a service token. `POST /api/bans {hub, room, subject, forSeconds}`,
 * `DELETE /api/bans/:hub/:room/:subject`; `POST /api/revocations {subject | tokenId, forSeconds}`,
 * `DELETE /api/revocations/subject/:subject`, `…/token/:tokenId`. Each answers 204 and holds on every instance.
 */
export function serveBans(http: FastifyInstance, { denials, hubs, serviceTokens }: BansOptions): void {
  if (serviceTokens.length === 0) return;
  const checkToken = requireServiceToken(serviceTokens);
  const route = (method: 'POST' | 'DELETE', url: string, run: (request: unknown) => Promise<void>) =>
    http.route<{ Body: unknown; Params: object }>({
      method,
      url,
      onRequest: async (request) => checkToken(request),
      handler: async (request, reply) => {
        await run(method === 'POST' ? (request.body ?? {}) : request.params).catch(inHttp);
        return reply.code(204).send();
      },
    });
  const known = (request: unknown) => {
    const given = checked(ban, request);
    if (!hubs.has(given.hub)) throw new HttpError(404, 'not_found', `there is no hub ${given.hub}`);
    return given;
  };
  const { bans, revocations } = denials;
  route('POST', '/api/bans', async (request) => bans.ban(known(request), durationOf(request)));
  route('DELETE', '/api/bans/:hub/:room/:subject', async (request) => bans.lift(known(request)));
  route('POST', '/api/revocations', async (request) =>
    revocations.revoke(checked(revocation, request), durationOf(request)),
  );
  route('DELETE', '/api/revocations/subject/:subject', async (request) =>
    revocations.restore(checked(revocation, request)),
  );
  route('DELETE', '/api/revocations/token/:tokenId', async (request) =>
    revocations.restore(checked(revocation, request)),
  );
}

function durationOf(request: unknown): number {
  return checked(duration, request).forSeconds * 1_000;
}

function inHttp(error: Error): never {
  if (error instanceof DenyListError) throw new HttpError(503, 'refused', error.message, 1);
  throw error;
}
