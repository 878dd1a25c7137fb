import { namesOf } from '../config/variables.ts';
import { sidecarVariables } from './sidecar-variables.ts';

/** Environment variables of the sidecar, for whatever starts it; `sidecar-variables.ts` says what they are. */
export const sidecarEnvironment = namesOf(sidecarVariables);

/** Value of the dimension `Service`, for a node and for a voice agent. */
export const watchedService = { node: 'livekit', agent: 'agent' } as const;
export type WatchedService = (typeof watchedService)[keyof typeof watchedService];

/** The metrics that the sidecars of each service write. */
export const sidecarMetrics = {
  [watchedService.node]: ['LiveNodes', 'RunningTasks', 'Participants', 'Protected', 'DeploymentBlocked'],
  [watchedService.agent]: ['RunningTasks', 'Jobs', 'Protected', 'DeploymentBlocked'],
} as const satisfies Record<WatchedService, readonly SidecarMetric[]>;

export type SidecarMetric =
  /** Live nodes according to Redis. Each sidecar reports what it sees. */
  | 'LiveNodes'
  /** Running tasks according to ECS. `LiveNodes` should be the same number. */
  | 'RunningTasks'
  /** Participants in the rooms of a node. */
  | 'Participants'
  /** Jobs of an agent's worker. Each is a call. */
  | 'Jobs'
  /** 1 while the task is protected, else 0. */
  | 'Protected'
  /** 1 while ECS refuses to protect the task because more tasks are protected than the service wants, else 0. */
  | 'DeploymentBlocked';
