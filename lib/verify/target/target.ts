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

/** Changes a running topology. */
export interface TopologyControl {
  instances(): Promise<readonly Instance[]>;
  /** Starts one more instance. Resolves with its id once the proxy sends it clients. */
  add(): Promise<string>;
  /** Drains it and removes it. */
  remove(id: string): Promise<void>;
  /** SIGKILL; whoever runs it starts it again. */
  kill(id: string): Promise<void>;
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
