/** The types of the hub `fleet`, which lists the instances. */

/** An instance, as its registry entry has it. */
export interface CountedInstance {
  readonly instance: string;
  /** Clients connected to it. */
  readonly connections: number;
  readonly draining: boolean;
  /** Shards of the cluster that it reaches and that can be written, and how many there are. @default there is no cluster */
  readonly shards?: { readonly joined: number; readonly of: number } | undefined;
}

export interface InstancesReply {
  /** By name. */
  readonly instances: readonly CountedInstance[];
}
