import { cacheAvailable } from './cache-available.ts';
import { cacheEndpoint } from './cache-endpoint.ts';
import { cacheSettings } from './cache-settings.ts';
import { cacheUsers } from './cache-users.ts';
import { liveKitDeployments } from './livekit-deployments.ts';
import { liveKitTasks } from './livekit-tasks.ts';
import { liveKitTurn } from './livekit-turn.ts';
import type { StackCheck } from './stack-check.ts';
import { tasksAfterRotation } from './tasks-after-rotation.ts';

/** What is looked at of a stack, in this order: what follows from something else comes after it. */
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
