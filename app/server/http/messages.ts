import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { paths } from '../../names.ts';
import { longestId, longestRoom, publishRequest } from '../../protocol/schemas.ts';
import type { AttachedRooms } from '../rooms/attach.ts';
import { RefusedError, UncertainError } from '../rooms/log.ts';
import { checked } from './checked.ts';
import { HttpError } from './errors.ts';
import { requireServiceToken } from './service-token.ts';

export interface MessagesOptions {
  readonly hubs: ReadonlyMap<string, Pick<AttachedRooms, 'publish'>>;
  /** None: the route is not served, and answers 404. */
  readonly serviceTokens: readonly string[];
  /** Bytes of a body as JSON. @default 65,536, as for clients */
  readonly bodyBytes?: number;
}

const request = publishRequest.extend({
  from: z
    .string()
    .min(1)
    .max(longestRoom)
    .regex(/^[^\p{Cc}]+$/u, 'must hold no control characters')
    .optional(),
});
const idHeader = z.string().min(1).max(longestId).optional();
/** Redis is away for seconds, not for minutes. */
const retryAfterSeconds = 1;

/**
 * How backends publish: `POST /api/hubs/:hub/rooms/:room/messages` with `{id?, body, from?}` and a service token.
 * Answers 201 `{epoch, offset}`, for a repeat the first one's. The id may come as `Idempotency-Key` as well.
 */
export function serveMessages(http: FastifyInstance, options: MessagesOptions): void {
  const { hubs, serviceTokens, bodyBytes = 65_536 } = options;
  if (serviceTokens.length === 0) return;
  const checkToken = requireServiceToken(serviceTokens);
  http.post<{ Params: { hub: string; room: string } }>(
    paths.messages,
    { onRequest: async (incoming) => checkToken(incoming) },
    async (incoming, reply) => {
      const { hub, room } = incoming.params;
      const rooms = hubs.get(hub);
      if (!rooms) throw new HttpError(404, 'not_found', `there is no hub ${hub}`);
      const header = checked(idHeader, incoming.headers['idempotency-key']);
      const told = checked(request, { ...asObject(incoming.body), room });
      const id = told.id ?? header;
      if (Buffer.byteLength(JSON.stringify(told.body)) > bodyBytes) {
        throw new HttpError(413, 'too_large', `body: must have at most ${bodyBytes} bytes as JSON`);
      }
      const position = await rooms
        .publish(room, told.body, {
          ...(id === undefined ? {} : { id }),
          ...(told.from === undefined ? {} : { from: told.from }),
        })
        .catch((error: Error) => {
          throw inHttp(error);
        });
      return reply.code(201).header('cache-control', 'no-store').send(position);
    },
  );
}

function asObject(body: unknown): object {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new HttpError(400, 'bad_request', 'the request: must be a JSON object {id?, body, from?}');
}

function inHttp(error: Error): Error {
  if (error instanceof RefusedError) return new HttpError(503, 'refused', error.message, retryAfterSeconds);
  if (error instanceof UncertainError) {
    const advice = 'the same id again settles it';
    return new HttpError(504, 'uncertain', `${error.message}: ${advice}`, retryAfterSeconds);
  }
  return error;
}
