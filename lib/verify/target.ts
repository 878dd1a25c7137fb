import type { LiveKitControl } from './livekit/control.ts';
import type { Tokens } from './tokens.ts';

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
  /** What clients show in their handshakes. @default nothing */
  readonly tokens?: Tokens;
  /** Opens the HTTP API, on which backends publish. @default there is none to be had */
  readonly serviceToken?: string;
}

/** One instance as whoever runs it sees it. */
export interface Instance {
  /** The name that it welcomes its clients with. */
  readonly id: string;
  /** Absent while it is down. */
  readonly pid?: number;
  /** Where it answers alone, past the proxy; absent while it is down. */
  readonly url?: string;
  /** It is up and the proxy sends it clients. */
  readonly serving: boolean;
}

/** The power to change a running topology. */
export interface TopologyControl {
  instances(): Promise<readonly Instance[]>;
  /** Starts one more and resolves with its id once the proxy sends it clients. */
  add(): Promise<string>;
  /** Drains it and takes it away. */
  remove(id: string): Promise<void>;
  /** SIGKILL; whoever runs it starts it again. */
  kill(id: string): Promise<void>;
}
