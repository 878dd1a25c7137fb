/** The types of the hub `fleet`, which lists the instances. */

/** An instance, as its registry entry has it. */
export interface CountedInstance {
  readonly instance: string;
  /** Clients connected to it. */
  readonly connections: number;
  readonly draining: boolean;
}

export interface InstancesReply {
  /** By name. */
  readonly instances: readonly CountedInstance[];
}
