import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { paths } from '../../names.ts';
import { name, publishRequest } from '../../protocol/schemas.ts';
import { longestId, longestSubject } from '../../protocol/text.ts';
import { BodyError, bodyInRequest } from '../rooms/body/body.ts';
import type { HubRooms } from '../rooms/hub-rooms.ts';
import { ExpiredIdError, RefusedError, UncertainError } from '../rooms/log/log.ts';
import { checked, HttpError } from './errors.ts';
import { requireServiceToken } from './service-token.ts';

export interface MessagesOptions {
  readonly hubs: ReadonlyMap<string, Pick<HubRooms, 'publishJson'>>;
  /** None: the route is not served, and answers 404. */
  readonly serviceTokens: readonly string[];
  /** Bytes of a body as JSON. @default 65,536, as for clients */
  readonly bodyBytes?: number;
}

const request = publishRequest.extend({ from: name(longestSubject).optional() });
const idHeader = name(longestId).optional();
/** Redis is away for seconds, not for minutes. */
const retryAfterSeconds = 1;

/** A request's JSON, as its sender wrote it and as it was read. */
interface GivenJson {
  readonly text: string;
  readonly value: unknown;
}

/**
 * How backends publish: `POST /api/hubs/:hub/rooms/:room/messages` with `{id?, age?, body, from?}` and a service
 * token. Answers 201 `{epoch, offset}`, for a repeat the first one's. The id may come as `Idempotency-Key` as well.
 */
export async function serveMessages(http: FastifyInstance, options: MessagesOptions): Promise<void> {
  const { hubs, serviceTokens, bodyBytes = 65_536 } = options;
  if (serviceTokens.length === 0) return;
  const checkToken = requireServiceToken(serviceTokens);
  // In a scope of its own: this route's body stays text beside what is read of it.
  await http.register(async (scope) => {
    keepJsonText(scope);
    scope.post<{ Params: { hub: string; room: string } }>(
      paths.messages,
      { onRequest: async (incoming) => checkToken(incoming) },
      async (incoming, reply) => {
        const { hub, room } = incoming.params;
        const rooms = hubs.get(hub);
        if (!rooms) throw new HttpError(404, 'not_found', `there is no hub ${hub}`);
        const header = checked(idHeader, incoming.headers['idempotency-key']);
        const { text, value } = (incoming.body ?? { text: '' }) as GivenJson;
        const { id = header, from, age, ...given } = checked(request, { ...asObject(value), room });
        const said = {
          ...(id === undefined ? {} : { id }),
          ...(from === undefined ? {} : { from }),
          ...(age === undefined ? {} : { age }),
        };
        const position = await publish(() =>
          rooms.publishJson(given.room, bodyInRequest(text, 0, bodyBytes), said),
        );
        return reply.code(201).header('cache-control', 'no-store').send(position);
      },
    );
  });
}

function keepJsonText(scope: FastifyInstance): void {
  // Names of the prototype are names like others: no object is made of the body.
  const parse = scope.getDefaultJsonParser('ignore', 'ignore');
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (incoming, bytes, done) => {
    if (!isUtf8(bytes as Buffer))
      return done(new HttpError(400, 'bad_request', 'the request: must be UTF-8'));
    const text = String(bytes);
    parse(incoming, text, (error, value) => {
      if (error) done(error);
      else done(null, { text, value } satisfies GivenJson);
    });
  });
}

function asObject(body: unknown): object {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new HttpError(400, 'bad_request', 'the request: must be a JSON object {id?, age?, body, from?}');
}

async function publish<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    throw inHttp(error as Error);
  }
}

function inHttp(error: Error): Error {
  const { message } = error;
  if (error instanceof BodyError) {
    return error.isTooLarge
      ? new HttpError(413, 'too_large', message)
      : new HttpError(400, 'bad_request', message);
  }
  if (error instanceof RefusedError) return new HttpError(503, 'refused', message, retryAfterSeconds);
  if (error instanceof ExpiredIdError) return new HttpError(409, 'uncertain', message);
  if (error instanceof UncertainError) {
    return new HttpError(504, 'uncertain', `${message}: the same id again settles it`, retryAfterSeconds);
  }
  return error;
}
