import type { RedisSetting } from '../../../app/server/redis/setting/setting.ts';

export type Protocol = 'socketio' | 'signalr';

/** Where clients find a server: Socket.IO's path, or the path of a SignalR hub. */
export interface Endpoint {
  readonly protocol: Protocol;
  /** `/socket.io/`, `/chathub` */
  readonly path: string;
}

/** What is looked at. */
export interface Subject {
  /** Origin that clients connect to. */
  readonly url: string;
  /** Whether it is this project's service. */
  readonly isOurs: boolean;
  readonly endpoints: readonly Endpoint[];
  /** Address of one instance, past the proxy. @default none is known */
  readonly instanceUrl?: string;
  /** Socket.IO's namespace that clients enter. @default the main one, `/` */
  readonly namespace?: string;
  /** A token that it accepts. @default none */
  readonly token?: string;
  /** Origin of the page whose scripts connect. @default pages of the server's own origin */
  readonly pageOrigin?: string;
  /** An event or a method that the server answers by a message to every client. @default none is known */
  readonly broadcast?: Broadcast;
  /** The Redis of the server. @default none is named */
  readonly redis?: NamedRedis;
  /** The longest wait for a heartbeat, in milliseconds. */
  readonly longestSilenceMs: number;
  /** Aborted when the time of the run is up, and on Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Broadcast {
  readonly event: string;
  readonly values: readonly unknown[];
}

export interface NamedRedis {
  readonly setting: RedisSetting;
  /** What named it: `REDIS_URL`. */
  readonly source: string;
}
