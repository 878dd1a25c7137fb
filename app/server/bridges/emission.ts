/** What a program beside the service emits to a hub. */
export interface Emission {
  readonly event: string;
  readonly args: readonly unknown[];
  /** Rooms, or ids of members. @default every connection to the hub */
  readonly rooms?: readonly string[] | undefined;
  /** Rooms, or ids of members, that do not get it. */
  readonly except: readonly string[];
  /** Given what the first client here acknowledges. @default nobody is asked to */
  readonly acknowledge?: ((values: readonly unknown[]) => void) | undefined;
}

/**
 * Where emissions to a namespace go: `emit`, as the program means it, to who is connected, at most once; or `publish`,
 * into the logs of the rooms that it names.
 */
export type BridgeMode = 'emit' | 'publish';

export interface BridgedNamespace {
  readonly namespace: string;
  readonly mode: BridgeMode;
}
