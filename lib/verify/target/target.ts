import { list } from '../wording.ts';

/** What is verified, and what may be done to it. */
export interface Target {
  /** Origin that clients connect to, for example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** How many instances must answer. @default as many as `control` names, else as many as answer */
  readonly instances?: number;
  /** Present where instances may be added and killed: the local topology. */
  readonly control?: TopologyControl;
  /** Why there is no `control`. */
  readonly withoutControl?: string;
  /** Present where LiveKit nodes may be looked at and killed: the local topology. */
  readonly liveKit?: LiveKitControl;
  /** The token of the HTTP API, with which backends publish. @default there is none */
  readonly serviceToken?: string;
}

/** One instance, as the topology that runs it describes it. */
export interface Instance {
  /** The name that it sends to its clients in `welcome`. */
  readonly id: string;
  /** Absent while it is down. */
  readonly pid?: number;
  /** Its own address, past the proxy. Absent while it is down. */
  readonly url?: string;
  /** It is up and the proxy sends it clients. */
  readonly serving: boolean;
}

/** A part of a Redis cluster, with the slots that it has. */
export interface ShardSlots {
  /** From 1. */
  readonly shard: number;
  /** First and last slot of each range. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

/** Changes a running topology. */
export interface TopologyControl {
  instances(): Promise<readonly Instance[]>;
  /** Starts one more instance. Resolves with its id once the proxy sends it clients. */
  add(): Promise<string>;
  /** Drains it and removes it. */
  remove(id: string): Promise<void>;
  /** SIGKILL; whoever runs it starts it again. */
  kill(id: string): Promise<void>;
  /** The shards of its Redis; none where one server has all rooms. */
  shards?(): Promise<readonly ShardSlots[]>;
}

/** A LiveKit node, as the topology that runs it describes it. */
export interface LiveKitNode {
  readonly id: string;
  /** Absent while it is down. */
  readonly pid?: number;
  /** Its own address, past the proxy: `ws://…`. Absent while it is down. */
  readonly url?: string;
  readonly metricsUrl?: string;
  /** It is up and the proxy sends it clients. */
  readonly serving: boolean;
}

/** Reads and kills the LiveKit nodes of a running topology. */
export interface LiveKitControl {
  nodes(): Promise<readonly LiveKitNode[]>;
  /** SIGKILL; whoever runs it starts it again. */
  kill(id: string): Promise<void>;
  /** The address of the Redis that they share, with a login that may read all of it. Absent if there is none. */
  readonly redis?: { readonly url: string; readonly caFile: string };
}

/** The instances that run, each with its process. */
export type Roster = ReadonlyMap<string, number | undefined>;

/** Undefined if there is no control to ask. */
export async function readRoster({ control }: Pick<Target, 'control'>): Promise<Roster | undefined> {
  const instances = await control?.instances().catch(() => undefined);
  return instances && new Map(instances.map(({ id, pid }) => [id, pid]));
}

/**
 * Describes the differences, such as `app-1 ended, app-2 was started again and app-3 came`. Undefined if there are
 * none.
 */
export function describeRestarts(before: Roster, after: Roster): string | undefined {
  const ended = [...before.keys()].filter((id) => !after.has(id));
  const came = [...after.keys()].filter((id) => !before.has(id));
  const restarted = [...after].filter(([id, pid]) => before.has(id) && before.get(id) !== pid);
  const parts = [
    ended.length > 0 && `${list(ended)} ended`,
    restarted.length > 0 && `${list(restarted.map(([id]) => id))} restarted`,
    came.length > 0 && `${list(came)} came`,
  ].filter((part) => part !== false);
  return parts.length > 0 ? list(parts) : undefined;
}
