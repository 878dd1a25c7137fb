import type { Check } from '../check.ts';
import { delivery } from './delivery.ts';
import { gapDetection } from './gap-detection.ts';
import { instances } from './instances.ts';
import { joiningInstance } from './joining-instance.ts';
import { killedInstance } from './killed-instance.ts';
import { polling } from './polling.ts';
import { recovery } from './recovery.ts';
import { repeatedId } from './repeated-id.ts';
import { websocket } from './websocket.ts';

/** In the order in which they run: what later ones rest on comes first, what changes the topology last. */
export const allChecks: readonly Check[] = [
  instances,
  polling,
  websocket,
  delivery,
  gapDetection,
  repeatedId,
  recovery,
  killedInstance,
  joiningInstance,
];
