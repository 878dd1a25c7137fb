import type { Check } from './check.ts';
import { authorization } from './checks/authorization/authorization.ts';
import { idleTimeout } from './checks/connecting/idle-timeout.ts';
import { instances } from './checks/connecting/instances.ts';
import { signalr } from './checks/connecting/signalr.ts';
import { stickinessCookie } from './checks/connecting/stickiness-cookie.ts';
import { polling, websocket, websocketUpgrade } from './checks/connecting/transports.ts';
import { delivery } from './checks/delivery/delivery.ts';
import { gapDetection } from './checks/delivery/gap-detection.ts';
import { recovery } from './checks/delivery/recovery.ts';
import { repeatedId } from './checks/delivery/repeated-id.ts';
import { aiStream } from './checks/hubs/ai-stream.ts';
import { presence } from './checks/hubs/presence.ts';
import { eachAlone } from './checks/topology/each-alone.ts';
import { joiningInstance } from './checks/topology/joining-instance.ts';
import { killedInstance } from './checks/topology/killed-instance.ts';
import { readiness } from './checks/topology/readiness.ts';
import { signalrRecovery } from './checks/topology/signalr-recovery.ts';
import { liveKitKilledNode } from './livekit/killed-node.ts';
import { liveKitNodes } from './livekit/nodes.ts';
import { liveKitRoom } from './livekit/room.ts';
import { cacheAvailable, cacheEndpoint, cacheSettings, cacheUsers } from './stack/cache.ts';
import type { StackCheck } from './stack/deployed-stack.ts';
import { liveKitDeployments } from './stack/livekit/deployments.ts';
import { liveKitTasks } from './stack/livekit/tasks.ts';
import { liveKitTurn } from './stack/livekit/turn.ts';
import { tasksAfterRotation } from './stack/tasks.ts';

/**
 * Checks of the service, in the order in which they run: the basic ones first, those that change the topology last.
 * `presence` works in the background from the beginning, so little is left to wait for when its turn comes, and its members
 * have not been cut off by then.
 */
export const serviceChecks: readonly Check[] = [
  instances,
  readiness,
  polling,
  websocket,
  websocketUpgrade,
  stickinessCookie,
  signalr,
  authorization,
  delivery,
  gapDetection,
  repeatedId,
  recovery,
  aiStream,
  idleTimeout,
  eachAlone,
  presence,
  killedInstance,
  signalrRecovery,
  joiningInstance,
];

/** Checks of LiveKit, if there is one. */
export const liveKitChecks: readonly Check[] = [liveKitNodes, liveKitRoom, liveKitKilledNode];

/** Checks of a stack on AWS, if one is given. A check comes after those whose failure would also make it fail. */
export const stackChecks: readonly StackCheck[] = [
  cacheAvailable,
  cacheEndpoint,
  cacheSettings,
  cacheUsers,
  tasksAfterRotation,
  liveKitDeployments,
  liveKitTasks,
  liveKitTurn,
];
export const stackCheckNames: readonly string[] = stackChecks.map(({ name }) => name);

/** The names for `--only`, in the order in which the checks run. */
export const checkNames: readonly string[] = [
  ...stackCheckNames,
  ...[...serviceChecks, ...liveKitChecks].map(({ name }) => name),
];
