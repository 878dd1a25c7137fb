import type { FastifyInstance } from 'fastify';
import { type WebhookEvent, WebhookReceiver } from 'livekit-server-sdk';
import type { Logger } from 'pino';
import { paths } from '../../names.ts';
import { callSender } from '../../protocol/calls.ts';
import { joinRequest, longestId } from '../../protocol/schemas.ts';
import type { LivekitAccess } from '../environment.ts';
import { HttpError } from '../http/errors.ts';
import type { AttachedRooms } from '../rooms/attach.ts';
import { RefusedError, UncertainError } from '../rooms/log.ts';
import { callEventOf } from './call-event.ts';

export interface WebhookOptions {
  readonly access: LivekitAccess;
  /** Rooms of the hub that hears of calls. */
  readonly rooms: Pick<AttachedRooms, 'publish'>;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * Seconds after which an event is not told any more. A room knows a repeated id for 120 s: what is older could have been
 * told, and by a captured request would be told again. LiveKit itself gives up after 30 s.
 */
const oldestSeconds = 100;
/** What LiveKit says of its JSON, which it has signed as it is. */
const contentType = 'application/webhook+json';

/**
 * `POST /api/livekit/webhook`: LiveKit's nodes tell of rooms and participants, signed. Each event is told in the
 * chat room of the same name, once, however often and by whichever instance it is received: its id is the message's.
 */
export async function serveWebhook(http: FastifyInstance, options: WebhookOptions): Promise<void> {
  const { access } = options;
  const receiver = new WebhookReceiver(access.apiKey, access.apiSecret);
  // In a scope of its own: the signature is over the bytes, so this route's body stays text.
  await http.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const types = [contentType, 'application/json'];
    scope.addContentTypeParser(types, { parseAs: 'string' }, (_request, body, done) => done(null, body));
    scope.post(paths.livekitWebhook, async (request, reply) => {
      const event = await verified(receiver, request.body, request.headers.authorization);
      await tell(event, options);
      return reply.code(204).send();
    });
  });
}

/** @throws HttpError 401 */
async function verified(
  receiver: WebhookReceiver,
  body: unknown,
  signature: string | undefined,
): Promise<WebhookEvent> {
  try {
    return await receiver.receive(typeof body === 'string' ? body : '', signature);
  } catch {
    throw new HttpError(401, 'unauthorized', 'this is not signed with the API key that the service has');
  }
}

/** @throws HttpError 503, at which LiveKit tries again */
async function tell(event: WebhookEvent, { rooms, log }: WebhookOptions): Promise<void> {
  const body = callEventOf(event);
  const room = joinRequest.shape.room.safeParse(event.room?.name);
  if (!body || !room.success) return;
  const { id } = event;
  const age = Date.now() / 1_000 - Number(event.createdAt);
  if (id === '' || id.length > longestId || age > oldestSeconds) {
    log.warn(
      { event: event.event, age: Math.round(age) },
      'an event of LiveKit came too late to be told once',
    );
    return;
  }
  await rooms.publish(room.data, body, { id, from: callSender }).catch((error: Error) => {
    if (!(error instanceof RefusedError || error instanceof UncertainError)) throw error;
    throw new HttpError(503, 'refused', `${error.message}: the same event again settles it`, 1);
  });
}
