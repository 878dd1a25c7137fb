/** Environment variables of the sidecar, beside those that ECS sets. Only constants stand here. */
export const sidecarEnvironment = {
  /** The node's own configuration, as `livekit/config` renders it: where its metrics and its Redis are. */
  liveKitConfig: 'LIVEKIT_CONFIG',
  /** As the node's. */
  redisPassword: 'REDIS_PASSWORD',
  /** In place of a node, a voice agent's worker: `http://127.0.0.1:8081/worker`. */
  agentWorkerUrl: 'AGENT_WORKER_URL',
  /** Minutes for which a superseded task may keep its calls. */
  maxCallDrainMinutes: 'MAX_CALL_DRAIN_MINUTES',
  /** Hours after which a task that was never empty is protected no more. */
  maxProtectionHours: 'MAX_PROTECTION_HOURS',
  /** Seconds from look to look. */
  checkSeconds: 'CHECK_SECONDS',
  /** Seconds from report to report. */
  reportSeconds: 'REPORT_SECONDS',
  /** CloudWatch namespace of the metrics in the log; absent: there are none. */
  emfNamespace: 'EMF_NAMESPACE',
  /** Value of the dimension `Deployment`. */
  deployment: 'DEPLOYMENT',
  /** Shared with the container that is watched; see `livekit/config/entrypoint.ts`. */
  folder: 'NODE_FOLDER',
  /**
   * Who knows the node's public address, which is written into the folder: `imds` (default), the EC2 host's metadata
   * service; `checkip`, AWS's page that tells its callers theirs, for Fargate; `none`: somebody else writes it.
   */
  publicAddress: 'PUBLIC_ADDRESS',
} as const;

/** Value of the dimension `Service` in each case. */
export const watchedService = { node: 'livekit', agent: 'agent' } as const;
export type WatchedService = (typeof watchedService)[keyof typeof watchedService];

/** Under which metric each tells how many are there. */
export const loadMetric = {
  [watchedService.node]: 'Participants',
  [watchedService.agent]: 'Jobs',
} as const satisfies Record<WatchedService, SidecarMetric>;

export type SidecarMetric =
  /** Nodes that live, as Redis says; each sidecar tells what it sees. */
  | 'LiveNodes'
  /** Tasks that run, as ECS says: the number that `LiveNodes` has to be. */
  | 'RunningTasks'
  /** Participants in the rooms of a node. */
  | 'Participants'
  /** Jobs of an agent's worker: a call each. */
  | 'Jobs'
  /** 1 while the task is protected, else 0. */
  | 'Protected'
  /** 1 while ECS refuses to protect the task, as more are protected than the service wants, else 0. */
  | 'DeploymentBlocked';
