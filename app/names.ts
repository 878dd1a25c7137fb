/**
 * The names that the service shares with whatever starts it: the stack, the local topology, a container.
 * Only constants stand here, so that `lib/` can import them without the service's dependencies.
 */

import { serviceVariables } from './server/service-variables.ts';
import { namesOf } from './server/variables.ts';

/** Environment variables that the service reads, once, at its entry; `service-variables.ts` says what they are. */
export const environmentNames = namesOf(serviceVariables);

/** Port the service listens on unless `PORT` says otherwise. */
export const defaultPort = serviceVariables.port.otherwise;

export const paths = {
  live: '/health/live',
  ready: '/health/ready',
  socketIo: '/socket.io/',
  session: '/api/session',
  /** `:hub` and `:room` are URL-encoded. */
  messages: '/api/hubs/:hub/rooms/:room/messages',
  liveKitToken: '/api/livekit/token',
  liveKitAgent: '/api/livekit/agent',
  liveKitParticipants: '/api/livekit/participants',
  liveKitWebhook: '/api/livekit/webhook',
  metrics: '/metrics',
  /** Which rooms and users this instance holds. */
  instance: '/instance',
} as const;

/** Socket.IO's heartbeat in milliseconds (its own default); a proxy's idle timeout must be above it. */
export const pingIntervalMs = 25_000;

/** What the voice agent's worker is called where a call asks for it; `LIVEKIT_AGENT_NAME` of the agent. */
export const agentName = 'voice';
