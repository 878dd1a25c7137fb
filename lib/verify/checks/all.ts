import type { Check } from '../check.ts';
import { aiStream } from './ai-stream.ts';
import { authorization } from './authorization.ts';
import { delivery } from './delivery.ts';
import { eachAlone } from './each-alone.ts';
import { gapDetection } from './gap-detection.ts';
import { idleTimeout } from './idle-timeout.ts';
import { instances } from './instances.ts';
import { joiningInstance } from './joining-instance.ts';
import { killedInstance } from './killed-instance.ts';
import { liveKitKilledNode } from './livekit-killed-node.ts';
import { liveKitNodes } from './livekit-nodes.ts';
import { liveKitRoom } from './livekit-room.ts';
import { polling } from './polling.ts';
import { presence } from './presence.ts';
import { recovery } from './recovery.ts';
import { repeatedId } from './repeated-id.ts';
import { stickinessCookie } from './stickiness-cookie.ts';
import { websocket } from './websocket.ts';
import { websocketUpgrade } from './websocket-upgrade.ts';

/**
 * In the order in which they run: what later ones rest on comes first, what changes the topology last.
 * Presence has gone on all the while, and waits for the least that is left.
 */
export const allChecks: readonly Check[] = [
  instances,
  polling,
  websocket,
  websocketUpgrade,
  stickinessCookie,
  authorization,
  delivery,
  gapDetection,
  repeatedId,
  recovery,
  aiStream,
  idleTimeout,
  eachAlone,
  killedInstance,
  joiningInstance,
  presence,
  liveKitNodes,
  liveKitRoom,
  liveKitKilledNode,
];
