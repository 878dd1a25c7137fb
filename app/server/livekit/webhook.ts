import type { FastifyInstance } from 'fastify';
import { type WebhookEvent, WebhookReceiver } from 'livekit-server-sdk';
import type { Logger } from 'pino';
import { paths } from '../../names.ts';
import { type CallEvent, callSender } from '../../protocol/calls.ts';
import { joinRequest } from '../../protocol/schemas.ts';
import { isName, longestId } from '../../protocol/text.ts';
import type { LiveKitAccess } from '../environment.ts';
import { HttpError } from '../http/errors.ts';
import type { HubRooms } from '../rooms/hub-rooms.ts';
import { RefusedError, UncertainError } from '../rooms/log/log.ts';
import { isAgent, isShown } from './api.ts';
import type { CallWatch } from './call-watch.ts';
import { holderOf, subjectOfParticipant } from './token.ts';

export interface WebhookOptions {
  readonly access: LiveKitAccess;
  /** Rooms of the hub that hears of calls. */
  readonly rooms: Pick<HubRooms, 'publish'>;
  readonly watch: Pick<CallWatch, 'isDenied' | 'check'>;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * Seconds after which an event is not published any more. A room knows a repeated id for 120 s: what is older could have been
 * published, and by a captured request would be again. LiveKit itself gives up after 30 s.
 */
const oldestSeconds = 100;
/** What LiveKit says of its JSON, which it has signed as it is. */
const contentType = 'application/webhook+json';

/**
 * `POST /api/livekit/webhook`: LiveKit's nodes tell of rooms and participants, signed. Each event is published in the
 * chat room of the same name, once, however often and by whichever instance it is received: its id is the message's.
 */
export async function serveWebhook(http: FastifyInstance, options: WebhookOptions): Promise<void> {
  const { access } = options;
  const receivers = [access, ...(access.previous ? [access.previous] : [])].map(
    ({ apiKey, apiSecret }) => new WebhookReceiver(apiKey, apiSecret),
  );
  // In a scope of its own: the signature is over the bytes, so this route's body stays text.
  await http.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const types = [contentType, 'application/json'];
    scope.addContentTypeParser(types, { parseAs: 'string' }, (_request, body, done) => done(null, body));
    scope.post(paths.liveKitWebhook, async (request, reply) => {
      const event = await verified(receivers, request.body, request.headers.authorization);
      await announce(event, options);
      return reply.code(204).send();
    });
  });
}

/** @throws HttpError 401 */
async function verified(
  receivers: readonly WebhookReceiver[],
  body: unknown,
  signature: string | undefined,
): Promise<WebhookEvent> {
  const text = typeof body === 'string' ? body : '';
  try {
    return await Promise.any(receivers.map((receiver) => receiver.receive(text, signature)));
  } catch {
    throw new HttpError(401, 'unauthorized', 'this is not signed with the API key that the service has');
  }
}

/** @throws HttpError 503, at which LiveKit tries again */
async function announce(event: WebhookEvent, { rooms, watch, log }: WebhookOptions): Promise<void> {
  const body = callEventOf(event);
  const room = joinRequest.shape.room.safeParse(event.room?.name);
  if (!body || !room.success) return;
  // A token for a call can't be taken back: who comes with one from before is removed, and nobody hears of it.
  const { participant } = event;
  if (body.call === 'joined' && participant && watch.isDenied(room.data, holderOf(participant))) {
    return watch.check(room.data);
  }
  const { id } = event;
  const age = Date.now() / 1_000 - Number(event.createdAt);
  if (!isName(id, longestId) || age > oldestSeconds) {
    log.warn(
      { event: event.event, age: Math.round(age) },
      'an event of LiveKit came too late to be published once',
    );
    return;
  }
  await rooms.publish(room.data, body, { id, from: callSender }).catch((error: Error) => {
    if (!(error instanceof RefusedError || error instanceof UncertainError)) throw error;
    throw new HttpError(503, 'refused', `${error.message}: the same event again settles it`, 1);
  });
}

const calls: Readonly<Record<string, CallEvent['call']>> = {
  room_started: 'started',
  participant_joined: 'joined',
  participant_left: 'left',
  room_finished: 'ended',
};

/** Seconds from a call's beginning to the word of it. */
const beginningSeconds = 3;

/** What a room hears of it; undefined: nothing. */
function callEventOf(webhook: WebhookEvent): CallEvent | undefined {
  const { event, participant } = webhook;
  const call = calls[event];
  // A call that moves to another node, or is ended there, has not started for anyone.
  if (call === 'started' && ageOf(webhook) > beginningSeconds) return undefined;
  if (call === 'started' || call === 'ended') return { call, text: `The call has ${call}` };
  if (call === undefined || !participant || !isShown(participant)) return undefined;
  const subject = subjectOfParticipant(participant);
  const name = participant.name || undefined;
  return {
    call,
    subject,
    ...(name === undefined ? {} : { name }),
    ...(isAgent(participant) ? { agent: true } : {}),
    text: `${name ?? subject} ${call} the call`,
  };
}

/** Seconds that the call had lasted; 0 where LiveKit does not say it. */
function ageOf({ createdAt, room }: WebhookEvent): number {
  return room && room.creationTime > 0 ? Number(createdAt - room.creationTime) : 0;
}
