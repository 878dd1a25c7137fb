import type { Logger } from 'pino';
import type { Server } from 'socket.io';
import type { Answers } from '../answers/answers.ts';
import { openAnswers } from '../answers/answers.ts';
import { createAuthenticator } from '../auth/authenticator.ts';
import { closeExpired } from '../auth/expiry.ts';
import { subjectOf } from '../auth/identity.ts';
import { openCache } from '../cache/open-cache.ts';
import { Census } from '../census/census.ts';
import type { Connections } from '../connections.ts';
import type { Environment } from '../environment.ts';
import { addressOf } from '../http/client-address.ts';
import type { Leases } from '../leases/leases.ts';
import { openMemoryLeases } from '../leases/memory-leases.ts';
import { openRedisLeases } from '../leases/redis-leases.ts';
import { chargeAsk, chargeCalls } from '../limits/charge.ts';
import { ConnectionLimit } from '../limits/connection-limit.ts';
import type { Limits } from '../limits/limits.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { openModel } from '../models/open.ts';
import { openMemoryPresence } from '../presence/memory-presence.ts';
import { openPresence } from '../presence/presence.ts';
import { openRedisPresence } from '../presence/redis-presence.ts';
import type { Backplane } from '../redis/backplane.ts';
import { openServiceStore } from '../rooms/service-store.ts';
import type { Sessions } from '../sessions/open-sessions.ts';
import { backtests } from './backtests.ts';
import { bots } from './bots.ts';
import { chat } from './chat.ts';
import type { HubContext } from './context.ts';
import { defineFleet } from './fleet.ts';
import { defineLlm } from './llm.ts';
import { type OpenHub, openHub } from './open.ts';

export interface AllHubsOptions {
  readonly io: Server;
  readonly environment: Environment;
  readonly backplane: Backplane;
  readonly connections: Connections;
  readonly sessions: Sessions;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly isDraining: () => boolean;
}

export interface AllHubs {
  readonly hubs: readonly OpenHub[];
  /** Ends answers, and tells the other instances who is gone. */
  close(): Promise<void>;
}

/** Every hub that the service ships, and what they share. */
export async function openAllHubs(options: AllHubsOptions): Promise<AllHubs> {
  const { environment, backplane, limits, log } = options;
  const { deployment, instanceId: instance, trustedProxyHops } = environment;
  const { links } = backplane;
  const provider = await openModel(environment.model, openCache({ name: 'answers', deployment, links }));
  const leases = links ? openRedisLeases({ links, deployment, instance, log }) : openMemoryLeases(instance);
  const context = contextOf(options, leases);
  let answers: Answers;
  const llm = openHub(
    defineLlm({
      answers: () => answers,
      chargeAsk: (socket) => chargeAsk(limits, socket, trustedProxyHops),
      isDraining: options.isDraining,
    }),
    context,
  );
  answers = openAnswers({ hub: llm.name, rooms: llm.rooms, links, deployment, leases, provider, log });
  const fleet = openFleet(options, context);
  const hubs = [llm, ...[chat, bots, backtests].map((hub) => openHub(hub, context)), ...fleet.hubs];
  const endExpiry = closeExpired(hubs.map(({ namespace }) => namespace));
  return {
    hubs,
    close: async () => {
      endExpiry();
      fleet.census?.close();
      await answers.close();
      await Promise.all(hubs.map((hub) => hub.close()));
      await leases.close();
    },
  };
}

function contextOf(options: AllHubsOptions, leases: Leases): HubContext {
  const { io, environment, backplane, sessions, limits, metrics, log } = options;
  const { deployment, trustedProxyHops } = environment;
  const { links } = backplane;
  const store = links ? openRedisPresence({ links, deployment }) : openMemoryPresence();
  const connectionLimit = new ConnectionLimit();
  return {
    io,
    backplane,
    log,
    store: openServiceStore(backplane, environment),
    instance: environment.instanceId,
    authenticate: createAuthenticator(environment.auth),
    admit: (identity, socket) => {
      sessions.revocations.admit(identity);
      connectionLimit.admit(identity, socket);
    },
    onRefused: (hub, code) => metrics.connections.refused(hub, code),
    presenceOf: (hub, whisper) => openPresence({ store, hub, leases, subjectOf, whisper, log }),
    countersOf: (hub) => metrics.rooms.countersOf(hub),
    addressOf: (socket) => addressOf(socket, trustedProxyHops),
    charge: chargeCalls(limits, trustedProxyHops),
    isBanned: (ban) => sessions.bans.isBanned(ban),
  };
}

/** Where guests are let in, they may look around. */
function openFleet({ environment, backplane, connections, isDraining }: AllHubsOptions, context: HubContext) {
  const { auth, deployment, instanceId } = environment;
  if (!auth.guests && !auth.none) return { hubs: [] };
  const own = () => ({ instance: instanceId, connections: connections.count, draining: isDraining() });
  const census = new Census({ links: backplane.links, deployment, own });
  return { hubs: [openHub(defineFleet(census), context)], census };
}
