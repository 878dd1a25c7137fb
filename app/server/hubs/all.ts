import type { Logger } from 'pino';
import type { Server } from 'socket.io';
import { type Answers, openAnswers } from '../answers/answers.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import { closeExpired } from '../auth/expiry.ts';
import { subjectOf } from '../auth/identity.ts';
import { openCache } from '../cache/open-cache.ts';
import { Census } from '../census/census.ts';
import type { Connections } from '../connections.ts';
import type { Environment } from '../environment.ts';
import { addressOf as addressOfSocket } from '../http/client-address.ts';
import type { Leases } from '../leases/leases.ts';
import { openMemoryLeases } from '../leases/memory-leases.ts';
import { openRedisLeases } from '../leases/redis-leases.ts';
import { type AddressOf, chargeAsk, chargeCalls } from '../limits/charge.ts';
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
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
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
  const { environment, backplane, log } = options;
  const { deployment, instanceId: instance } = environment;
  const { links } = backplane;
  const leases = links ? openRedisLeases({ links, deployment, instance, log }) : openMemoryLeases(instance);
  const context = contextOf(options, leases);
  const { llm, answers } = await openLlm(options, context, leases);
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

/** The hub and what makes its answers need each other: the answers are told in the hub's rooms. */
async function openLlm(options: AllHubsOptions, context: HubContext, leases: Leases) {
  const { environment, backplane, limits, log, isDraining } = options;
  const { deployment, model } = environment;
  const { links } = backplane;
  const provider = await openModel(model, openCache({ name: 'answers', deployment, links }));
  const addressOf = clientAddresses(environment);
  let answers: Answers;
  const definition = defineLlm({
    answers: () => answers,
    chargeAsk: (socket) => chargeAsk(limits, addressOf, socket),
    isDraining,
  });
  const llm = openHub(definition, context);
  answers = openAnswers({ hub: llm.name, rooms: llm.rooms, links, deployment, leases, provider, log });
  return { llm, answers };
}

function contextOf(options: AllHubsOptions, leases: Leases): HubContext {
  const { io, environment, backplane, authenticate, sessions, limits, metrics, log } = options;
  const { deployment } = environment;
  const { links } = backplane;
  const addressOf = clientAddresses(environment);
  const store = links ? openRedisPresence({ links, deployment }) : openMemoryPresence();
  const connectionLimit = new ConnectionLimit();
  return {
    io,
    backplane,
    log,
    store: openServiceStore(backplane, environment),
    instance: environment.instanceId,
    authenticate,
    admit: (identity, socket) => {
      sessions.revocations.admit(identity);
      connectionLimit.admit(identity, socket);
    },
    onRefused: (hub, code) => metrics.connections.refused(hub, code),
    presenceOf: (hub, whisper) => openPresence({ store, hub, leases, subjectOf, whisper, log }),
    countersOf: (hub) => metrics.rooms.countersOf(hub),
    addressOf,
    charge: chargeCalls(limits, addressOf),
    isBanned: (ban) => sessions.bans.isBanned(ban),
  };
}

function clientAddresses({ trustedProxyHops }: Environment): AddressOf {
  return (socket) => addressOfSocket(socket, trustedProxyHops);
}

/** Where guests are let in, they may look around. */
function openFleet({ environment, backplane, connections, isDraining }: AllHubsOptions, context: HubContext) {
  const { auth, deployment, instanceId } = environment;
  if (!auth.guests && !auth.none) return { hubs: [] };
  const own = () => ({ instance: instanceId, connections: connections.count, draining: isDraining() });
  const census = new Census({ links: backplane.links, deployment, own });
  return { hubs: [openHub(defineFleet(census), context)], census };
}
