import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { agentName, paths } from '../../names.ts';
import { joinRequest } from '../../protocol/schemas.ts';
import type { LivekitAccess } from '../environment.ts';
import { checked } from '../http/checked.ts';
import { allowCors } from '../http/cors.ts';
import { HttpError } from '../http/errors.ts';
import type { OriginRules } from '../http/origin.ts';
import type { AttachedRooms } from '../rooms/attach.ts';
import { openLivekitApi } from './api.ts';
import { type CallerOptions, callerOf, callHub, checkRoom } from './caller.ts';
import { callToken } from './token.ts';
import { serveWebhook } from './webhook.ts';

export interface LivekitOptions extends OriginRules, CallerOptions {
  /** Undefined: every route answers that there are no calls here. */
  readonly access: LivekitAccess | undefined;
  readonly hubs: ReadonlyMap<string, Pick<AttachedRooms, 'publish'>>;
  readonly log: Pick<Logger, 'warn'>;
}

const { room } = joinRequest.shape;
const tokenRequest = z.object({
  room,
  /** The voice agent comes as the room begins. */
  agent: z.boolean().default(false),
});
const roomRequest = z.object({ room });
/** Of a route whose answers no cache may keep. */
const unkept = {
  onRequest: async (_request: unknown, reply: FastifyReply) => {
    reply.header('cache-control', 'no-store');
  },
};

/**
 * Calls, one a chat room, for whoever may join that room:
 * `POST /api/livekit/token {room, agent?}` gives a token for it, `POST /api/livekit/agent {room}` calls the voice
 * agent into it, `GET /api/livekit/participants?room=…` tells who is in it. LiveKit tells of calls by
 * `POST /api/livekit/webhook`.
 */
export async function serveLivekit(http: FastifyInstance, options: LivekitOptions): Promise<void> {
  const { access, hubs, log } = options;
  for (const path of [paths.livekitToken, paths.livekitAgent, paths.livekitParticipants]) {
    allowCors(http, path, options);
  }
  if (!access) return serveAbsence(http);
  const api = openLivekitApi(access);
  http.post(paths.livekitToken, unkept, async (incoming) => {
    const identity = await callerOf(incoming, options);
    const told = checked(tokenRequest, incoming.body ?? {});
    checkRoom(identity, told.room, options);
    return callToken(access, { room: told.room, identity, ...(told.agent ? { agent: agentName } : {}) });
  });
  http.post(paths.livekitAgent, unkept, async (incoming, reply) => {
    const identity = await callerOf(incoming, options);
    const told = checked(roomRequest, incoming.body ?? {});
    checkRoom(identity, told.room, options);
    await api.callAgent(told.room, agentName);
    return reply.code(204).send();
  });
  http.get(paths.livekitParticipants, unkept, async (incoming) => {
    const identity = await callerOf(incoming, options);
    const told = checked(roomRequest, incoming.query);
    checkRoom(identity, told.room, options);
    return { participants: await api.participants(told.room) };
  });
  const rooms = hubs.get(callHub);
  if (rooms) await serveWebhook(http, { access, rooms, log });
}

/** No 5xx: alarms count those, and a page that asks whether there are calls is no fault. */
function serveAbsence(http: FastifyInstance): void {
  const refuse = async () => {
    throw new HttpError(
      404,
      'not_configured',
      'there are no calls here: the service has no LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET',
    );
  };
  for (const path of [paths.livekitToken, paths.livekitAgent, paths.livekitWebhook]) http.post(path, refuse);
  http.get(paths.livekitParticipants, refuse);
}
