import type { Logger } from 'pino';
import { type Answers, openAnswers } from '../../answers/answers.ts';
import { reconnectExpired } from '../../auth/identity.ts';
import { openCache } from '../../cache/open-cache.ts';
import type { Denials } from '../../deny-list/open-denials.ts';
import type { Environment } from '../../environment.ts';
import type { InstanceRegistry } from '../../instances/instance-registry.ts';
import { type Leases, openMemoryLeases } from '../../leases/leases.ts';
import { openRedisLeases } from '../../leases/redis-leases.ts';
import type { Limits } from '../../limits/limits.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { openModel } from '../../models/open.ts';
import { openMemoryPresence } from '../../presence/memory-presence.ts';
import { openPresence } from '../../presence/presence.ts';
import { openRedisPresence } from '../../presence/redis-presence.ts';
import type { Backplane } from '../../redis/backplane.ts';
import { openServiceStore } from '../../rooms/store/service-store.ts';
import type { HubContext } from '../context.ts';
import { consumeAsk, memberRates } from '../member-rates.ts';
import { type OpenHub, openHub } from '../open.ts';
import { chat } from './chat.ts';
import { backtests, bots } from './feeds.ts';
import { defineFleet } from './fleet.ts';
import { defineLlm } from './llm.ts';
import { main } from './main.ts';

export interface AllHubsOptions {
  readonly environment: Environment;
  readonly backplane: Backplane;
  readonly instances: InstanceRegistry;
  readonly denials: Denials;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly isDraining: () => boolean;
}

export interface AllHubs {
  readonly hubs: readonly OpenHub[];
  /** Ends answers, and lets the other instances know who is gone. */
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
  const hubs = [
    llm,
    ...[chat, bots, backtests].map((hub) => openHub(hub, context)),
    ...openFleet(options, context),
    ...(environment.mainHub ? [openHub(main, context)] : []),
  ];
  // Last: what has died is handed to an instance as soon as it watches, and must find all that takes something back.
  options.instances.watchEnds(leases);
  const endExpiry = reconnectExpired(() => hubs.flatMap(({ members }) => [...members.values()]));
  return {
    hubs,
    close: async () => {
      endExpiry();
      await answers.close();
      await Promise.all(hubs.map((hub) => hub.close()));
      await leases.close();
    },
  };
}

/** The hub and what makes its answers need each other: the answers are published in the hub's rooms. */
async function openLlm(options: AllHubsOptions, context: HubContext, leases: Leases) {
  const { environment, backplane, limits, log, isDraining } = options;
  const { deployment, model } = environment;
  const { links } = backplane;
  const provider = await openModel(model, openCache({ name: 'answers', deployment, links }));
  let answers: Answers;
  const definition = defineLlm({
    answers: () => answers,
    consumeAsk: (member) => consumeAsk(limits, member),
    isDraining,
  });
  const llm = openHub(definition, context);
  answers = openAnswers({ hub: llm.name, rooms: llm.rooms, links, deployment, leases, provider, log });
  return { llm, answers };
}

function contextOf(options: AllHubsOptions, leases: Leases): HubContext {
  const { environment, backplane, denials, limits, metrics, log } = options;
  const { deployment } = environment;
  const { links } = backplane;
  const store = links ? openRedisPresence({ links, deployment }) : openMemoryPresence();
  return {
    backplane,
    log,
    store: openServiceStore(backplane, environment),
    instance: environment.instanceId,
    deployment,
    onRefused: (hub, code) => metrics.connections.refused(hub, code),
    presenceOf: (hub, broadcast) => openPresence({ store, hub, leases, broadcast, log }),
    countersOf: (hub) => metrics.rooms.countersOf(hub),
    ratesOf: (hub) => memberRates(limits, hub),
    isBanned: (ban) => denials.bans.isBanned(ban),
  };
}

/** Where guests are let in, they may look around. */
function openFleet({ environment, instances }: AllHubsOptions, context: HubContext): OpenHub[] {
  const { auth } = environment;
  return auth.guests || auth.none ? [openHub(defineFleet(instances), context)] : [];
}
