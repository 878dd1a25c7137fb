/** The hub `fleet`: which instances there are. */

/** One instance as the others know it. */
export interface CountedInstance {
  readonly instance: string;
  /** Clients connected to it. */
  readonly connections: number;
  readonly draining: boolean;
}

export interface InstancesAnswer {
  /** By name. */
  readonly instances: readonly CountedInstance[];
}
