import type { FastifyInstance } from 'fastify';
import { paths } from '../../names.ts';
import type { LiveKitAccess } from '../environment.ts';
import { HttpError } from '../http/errors.ts';
import type { OriginRules } from '../http/origin.ts';
import { allowCors } from '../http/origin.ts';
import type { CallsOptions } from './calls.ts';

export interface LiveKitOptions extends OriginRules, Omit<CallsOptions, 'access'> {
  /** Undefined: every route answers that there are no calls here. */
  readonly access: LiveKitAccess | undefined;
}

/**
 * Calls, one a chat room, for whoever may join that room:
 * `POST /api/livekit/token {room, agent?}` gives a token for it, `POST /api/livekit/agent {room}` calls the voice
 * agent into it, `GET /api/livekit/participants?room=…` tells who is in it. LiveKit tells of calls by
 * `POST /api/livekit/webhook`.
 */
export async function serveLiveKit(http: FastifyInstance, options: LiveKitOptions): Promise<void> {
  const { access } = options;
  for (const path of [paths.liveKitToken, paths.liveKitAgent, paths.liveKitParticipants]) {
    allowCors(http, path, options);
  }
  if (!access) return serveAbsence(http);
  // With LiveKit's SDK, a tenth of what a boot loads: only who has calls pays for it.
  const { serveCalls } = await import('./calls.ts');
  await serveCalls(http, { ...options, access });
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
  for (const path of [paths.liveKitToken, paths.liveKitAgent, paths.liveKitWebhook]) http.post(path, refuse);
  http.get(paths.liveKitParticipants, refuse);
}
