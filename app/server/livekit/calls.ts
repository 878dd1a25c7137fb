import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { agentName, paths } from '../../names.ts';
import { joinRequest } from '../../protocol/schemas.ts';
import type { LiveKitAccess } from '../environment.ts';
import { checked } from '../http/errors.ts';
import type { HubRooms } from '../rooms/hub-rooms.ts';
import { openLiveKitApi } from './api.ts';
import { CallWatch, type CallWatchOptions } from './call-watch.ts';
import { type CallerOptions, callerOf, callHub, checkRoom } from './caller.ts';
import { callToken } from './token.ts';
import { serveWebhook } from './webhook.ts';

export interface CallsOptions extends CallerOptions {
  readonly access: LiveKitAccess;
  readonly hubs: ReadonlyMap<string, Pick<HubRooms, 'publish'>>;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** How calls are looked after. */
  readonly watch: Pick<CallWatchOptions, 'isOnDuty' | 'everyMs' | 'comeBackSeconds'>;
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

/** The routes of a service that has LiveKit. */
export async function serveCalls(http: FastifyInstance, options: CallsOptions): Promise<void> {
  const { access, hubs, denials, log } = options;
  const api = openLiveKitApi(access);
  http.post(paths.liveKitToken, unkept, async (incoming) => {
    const identity = await callerOf(incoming, options);
    const given = checked(tokenRequest, incoming.body ?? {});
    checkRoom(identity, given.room, options);
    return callToken(access, { room: given.room, identity, ...(given.agent ? { agent: agentName } : {}) });
  });
  http.post(paths.liveKitAgent, unkept, async (incoming, reply) => {
    const identity = await callerOf(incoming, options);
    const given = checked(roomRequest, incoming.body ?? {});
    checkRoom(identity, given.room, options);
    await api.callAgent(given.room, agentName);
    return reply.code(204).send();
  });
  http.get(paths.liveKitParticipants, unkept, async (incoming) => {
    const identity = await callerOf(incoming, options);
    const given = checked(roomRequest, incoming.query);
    checkRoom(identity, given.room, options);
    return { participants: await api.participants(given.room) };
  });
  const rooms = hubs.get(callHub);
  const watch = new CallWatch({ ...options.watch, api, denials, log });
  http.addHook('onClose', async () => watch.close());
  if (rooms) await serveWebhook(http, { access, rooms, watch, log });
}
